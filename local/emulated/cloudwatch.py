"""CloudWatch as far as one template uses it: metric filters, metrics and alarms.

Everything that is not emulated raises an error, so that no difference from AWS goes unnoticed.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Record = Mapping[str, Any]
    Template = Mapping[str, Any]

_TERM = re.compile(r'\$\.(?P<field>\w+) = (?:"(?P<value>[\w /]+)"|(?P<any>\*|"\*"))')
# Parentheses with at most one pair inside: a term, or terms that are joined.
_EVERY_OPERAND = re.compile(r"\(((?:[^()]|\([^()]*\))+)\)")
_JOINED: Mapping[str, Callable[[Iterable[bool]], bool]] = {" || ": any, " && ": all}


def matcher(pattern: str) -> Callable[[Record], bool]:
    """Return a predicate of JSON log events for a filter pattern.

    The supported patterns are ``{ $.a = "x" }``, ``{ ($.a = "x") || ($.a = "y") }``, the same with ``&&`` and with such
    a pattern in place of a term, and ``{ $.a = * }``; in the last one, the CDK quotes the asterisk.
    """
    if not (pattern.startswith("{ ") and pattern.endswith(" }")):
        raise NotImplementedError(pattern)
    return _expression(pattern[2:-2])


def _expression(inside: str) -> Callable[[Record], bool]:
    if not inside.startswith("("):
        return _term(inside)
    # Operands in parentheses, and nothing between them but one operator.
    written = _EVERY_OPERAND.findall(inside)
    for operator, joined in _JOINED.items():
        if inside == operator.join(f"({operand})" for operand in written):
            operands = [_expression(operand) for operand in written]
            return lambda record: joined(matches(record) for matches in operands)
    raise NotImplementedError(inside)


def _term(written: str) -> Callable[[Record], bool]:
    term = _TERM.fullmatch(written)
    if not term:
        raise NotImplementedError(written)
    field, value = term["field"], term["value"]
    return lambda record: field in record and (value is None or record[field] == value)


class Metric(NamedTuple):
    """Identity of a metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()


class _Filter(NamedTuple):
    metric: Metric
    matches: Callable[[Record], bool]
    value: str


class Alarm(NamedTuple):
    """The properties of an alarm that decide whether it fires."""

    metric: Metric
    aggregate: Callable[[list[float]], float]
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    period: int
    below: bool
    """Whether a period breaches below the threshold, or without data."""


def resolved(value: Any, references: Mapping[str, str]) -> str:
    """Resolve a string of the template as CloudFormation does; a resource without a given name gets its logical id."""
    match value:
        case str():
            return value
        case {"Ref": str(logical_id)}:
            return references.get(logical_id, logical_id)
        case {"Fn::GetAtt": [str(logical_id), "Arn"]}:
            return f"arn:{references.get(logical_id, logical_id)}"
        case {"Fn::GetAtt": [str(logical_id), "QueueName"]}:
            return references.get(logical_id, logical_id)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(resolved(part, references) for part in parts)
        case _:
            raise NotImplementedError(value)


_STATISTICS: Mapping[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max}


def _percentile(values: list[float], percent: float) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


class CloudWatch:
    """The metrics and alarms of one stack, on a clock that moves only on ``advance``.

    Args:
        template: of the stack.
        references: names of its resources, by logical id.
    """

    def __init__(self, template: Template, references: Mapping[str, str]) -> None:
        self._references = references
        self._filters: dict[str, list[_Filter]] = defaultdict(list)
        self.alarms: dict[str, Alarm] = {}
        """By logical id."""
        self._now = 0.0
        self._values: dict[Metric, list[tuple[float, float]]] = defaultdict(list)
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Logs::MetricFilter":
                self._filters[self._text(properties["LogGroupName"])].append(self._filter(properties))
            elif resource["Type"] == "AWS::CloudWatch::Alarm":
                self.alarms[logical_id] = self._alarm(properties)

    @property
    def filtered(self) -> list[Metric]:
        """The metrics that the filters feed."""
        return [one.metric for filters in self._filters.values() for one in filters]

    def put(self, namespace: str, name: str, value: float = 1.0, **dimensions: str) -> None:
        """Publish a value of a metric, as an AWS service does."""
        self._put(Metric(namespace, name, frozenset(dimensions.items())), value)

    def log(self, group: str, event: str) -> None:
        """Apply the metric filters to a log event; one that is not JSON matches none."""
        try:
            record = json.loads(event)
        except ValueError:
            return
        for one in self._filters[group]:
            if one.matches(record):
                value = record[one.value.removeprefix("$.")] if one.value.startswith("$.") else float(one.value)
                self._put(one.metric, value)

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._now += seconds

    def figures(self, metric: Metric) -> list[float]:
        """Return all values of a metric."""
        return [value for _, value in self._values[metric]]

    def firing(self) -> set[str]:
        """Return the logical ids of the alarms that are in ALARM."""
        return {logical_id for logical_id, alarm in self.alarms.items() if self._fires(alarm)}

    def _fires(self, alarm: Alarm) -> bool:
        # The periods slide with the evaluation, which is CloudWatch's default: the latest ends now. How often AWS
        # evaluates (each minute; hourly if all periods together are longer than a day) only delays what is seen here.
        periods: dict[int, list[float]] = defaultdict(list)
        for at, value in self._values[alarm.metric]:
            periods[int((self._now - at) // alarm.period)].append(value)
        values = [periods.get(ago) for ago in range(alarm.evaluation_periods)]
        breaching = [
            alarm.below if found is None else (alarm.aggregate(found) < alarm.threshold) is alarm.below
            for found in values
        ]
        return sum(breaching) >= alarm.datapoints_to_alarm

    def _put(self, metric: Metric, value: float) -> None:
        self._values[metric].append((self._now, value))

    def _text(self, value: Any) -> str:
        return resolved(value, self._references)

    def _filter(self, properties: Mapping[str, Any]) -> _Filter:
        (transformation,) = properties["MetricTransformations"]
        metric = Metric(self._text(transformation["MetricNamespace"]), transformation["MetricName"])
        return _Filter(metric, matcher(properties["FilterPattern"]), transformation["MetricValue"])

    def _alarm(self, properties: Mapping[str, Any]) -> Alarm:
        # Alarms with other properties are not emulated.
        below = properties["ComparisonOperator"] == "LessThanThreshold"
        assert below or properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert properties["TreatMissingData"] == ("breaching" if below else "notBreaching")
        unknown = {"EvaluateLowSampleCountPercentile", "EvaluationWindow", "Metrics", "ThresholdMetricId"}
        assert properties.keys().isdisjoint(unknown)
        assert properties.get("ActionsEnabled", True)
        return Alarm(
            metric=Metric(
                self._text(properties["Namespace"]),
                properties["MetricName"],
                frozenset(self._dimensions(properties.get("Dimensions", []))),
            ),
            aggregate=_aggregate(properties),
            threshold=properties["Threshold"],
            evaluation_periods=properties["EvaluationPeriods"],
            datapoints_to_alarm=properties["DatapointsToAlarm"],
            period=properties["Period"],
            below=below,
        )

    def _dimensions(self, dimensions: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
        return ((dimension["Name"], self._text(dimension["Value"])) for dimension in dimensions)


def _aggregate(properties: Mapping[str, Any]) -> Callable[[list[float]], float]:
    if simple := _STATISTICS.get(properties.get("Statistic", "")):
        return simple
    percentile = re.fullmatch(r"p(\d+)", properties.get("ExtendedStatistic", ""))
    if not percentile:
        raise NotImplementedError(properties)
    percent = float(percentile[1])
    return lambda values: _percentile(values, percent)
