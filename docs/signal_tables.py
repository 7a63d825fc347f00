"""The documentation's tables that are generated from the table of signals."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, cast

from aws_cdk import App, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch

from constructs_lib import MarketplaceRegistration
from constructs_lib.registration._signals import SIGNALS

if TYPE_CHECKING:
    from constructs_lib import AlarmName

_PERCENTILE = "p99"


def alarm_names() -> str:
    """Return the source of the module that defines ``AlarmName``."""
    names = "".join(f'    "{name}",\n' for name in SIGNALS)
    return (
        '"""The names of the alarms; made from the table of signals by ``make generate``."""\n\n'
        f"from typing import Literal\n\nAlarmName = Literal[\n{names}]\n"
    )


def defaults() -> str:
    """Return the runbook's table of defaults."""
    registration = MarketplaceRegistration(
        Stack(App(), "Seller"), "Registration", products={"code": "https://app.example.com"}
    )
    rows = [
        ("alarm", "metric", "threshold", "period", "breaching periods", "why"),
        ("---",) * 6,
        *(_row(name, alarm) for name, alarm in registration.alarms.items()),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: AlarmName, alarm: cloudwatch.Alarm) -> tuple[str, ...]:
    signal = SIGNALS[name]
    metric = cast("cloudwatch.Metric", alarm.metric)
    text = f"`{metric.metric_name}`"
    if operation := (metric.dimensions or {}).get("Operation"):
        text += f" of `{operation}`"
    if metric.statistic == _PERCENTILE:
        text += f", {_PERCENTILE}, milliseconds"
    text += ", from the logs" if Token.is_unresolved(metric.namespace) else f", {metric.namespace}"
    breaching = f"{signal.datapoints_to_alarm or signal.evaluation_periods} of {signal.evaluation_periods}"
    return (name, text, f"{signal.threshold:g}", metric.period.to_human_string(), breaching, signal.reason)


def watched() -> str:
    """Return the README's table of alarms, by the dashboard's graphs."""
    by_graph = groupby(sorted(SIGNALS.items(), key=lambda item: _order(item[1].graph)), key=lambda item: item[1].graph)
    rows = [("on the dashboard", "alarms"), ("---", "---")]
    for graph, signals in by_graph:
        links = (f"[{name}](docs/runbook.md#{signal.anchor})" for name, signal in signals)
        rows.append((graph, ", ".join(links)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _order(graph: str) -> int:
    return list(dict.fromkeys(signal.graph for signal in SIGNALS.values())).index(graph)
