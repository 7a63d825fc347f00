"""Alarms made from a table of signals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from constructs_lib.monitoring.alarm_settings import AlarmSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs_lib.monitoring._signal import Signal

_Name = TypeVar("_Name", bound=str)

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, except that the CDK rejects
# a period of 20 seconds.
_SHORT_PERIODS = (10, 30)
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800
_MAX_DESCRIPTION = 1024


class _Evaluation(NamedTuple):
    """What an alarm evaluates: the defaults of its signal with the seller's overrides."""

    threshold: float
    period: Duration
    evaluation_periods: int
    datapoints_to_alarm: int


def _evaluation(signal: Signal, chosen: AlarmSettings) -> _Evaluation:
    evaluation_periods = _either(chosen.evaluation_periods, signal.evaluation_periods)
    return _Evaluation(
        threshold=_either(chosen.threshold, signal.threshold),
        period=_either(chosen.period, Duration.minutes(signal.minutes)),
        evaluation_periods=evaluation_periods,
        # Like CloudWatch and the CDK: all of them, unless it is said otherwise.
        datapoints_to_alarm=_either(
            _either(chosen.datapoints_to_alarm, signal.datapoints_to_alarm), evaluation_periods
        ),
    )


_Value = TypeVar("_Value")


def _either(chosen: _Value | None, default: _Value) -> _Value:
    return default if chosen is None else chosen


def validate_alarm_settings(settings: Mapping[_Name, AlarmSettings | None], signals: Mapping[_Name, Signal]) -> None:
    """Reject what CloudWatch would reject in the middle of a deployment, and an alarm that always fires."""
    for name, chosen in settings.items():
        if chosen is None:
            continue
        if not isinstance(chosen, AlarmSettings):
            raise ValueError(  # noqa: TRY004 - every wrong parameter is a ValueError
                f"alarm_settings: {name}: must be an AlarmSettings or None, got {chosen!r}"
            )
        _validate(f"alarm_settings: {name}:", _evaluation(signals[name], chosen))


def _validate(of: str, evaluation: _Evaluation) -> None:
    threshold, period, evaluation_periods, datapoints_to_alarm = evaluation
    if not _is_number(threshold) or (not Token.is_unresolved(threshold) and threshold <= 0):
        raise ValueError(f"{of} threshold must be a number greater than 0, got {threshold!r}")
    if not isinstance(period, Duration):
        raise ValueError(  # noqa: TRY004
            f"{of} period must be a Duration, such as Duration.minutes(5), got {period!r}"
        )
    if period.is_unresolved():
        raise ValueError(f"{of} period must be known at synth, got a CDK token")
    for field in ("evaluation_periods", "datapoints_to_alarm"):
        number = getattr(evaluation, field)
        if not _is_number(number) or (not Token.is_unresolved(number) and (number < 1 or number % 1 != 0)):
            raise ValueError(f"{of} {field} must be a whole number from 1 on, got {number!r}")
    if Token.is_unresolved(evaluation_periods):
        return
    if not Token.is_unresolved(datapoints_to_alarm) and datapoints_to_alarm > evaluation_periods:
        raise ValueError(
            f"{of} datapoints_to_alarm must be at most evaluation_periods, got {datapoints_to_alarm} of "
            f"{evaluation_periods}"
        )
    _validate_period(of, period, evaluation_periods)


def _validate_period(of: str, period: Duration, evaluation_periods: int) -> None:
    seconds = period.to_seconds(integral=False)
    if seconds not in _SHORT_PERIODS and (seconds < _MINUTE or seconds % _MINUTE):
        raise ValueError(f"{of} period must be whole minutes, or 10 or 30 seconds, got {period.to_human_string()}")
    longest, called = (_DAY, "one day") if seconds < _HOUR else (_WEEK, "seven days")
    if seconds * evaluation_periods > longest:
        raise ValueError(
            f"{of} period times evaluation_periods must be at most {called} (one day for a period below an hour, "
            f"otherwise seven), got {evaluation_periods} x {period.to_human_string()}"
        )


def _is_number(value: object) -> bool:
    # jsii cannot even be asked whether NaN or infinity is a CDK token.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def make_alarms(
    watched: Construct,
    *,
    signals: Mapping[_Name, Signal],
    actions: Sequence[cloudwatch.IAlarmAction],
    ok_actions: Sequence[cloudwatch.IAlarmAction],
    runbook_url: str | None,
    settings: Mapping[_Name, AlarmSettings | None],
) -> Mapping[_Name, cloudwatch.Alarm]:
    """Make the alarms of one construct, in a construct ``Alarms`` below it, and return them by name.

    Args:
        watched: the construct whose metrics the signals make.
        signals: alarm name to signal.
        actions: actions of every alarm, when it fires.
        ok_actions: actions of every alarm, when it returns to OK.
        runbook_url: the page with the signals' runbook sections, or None for the one in ``docs``.
        settings: alarm name to its overrides, or to None to leave the alarm out.
    """
    scope = Construct(watched, "Alarms")
    alarms = {
        name: _alarm(
            scope,
            name,
            metric=signal.metric(watched, period=_evaluation(signal, chosen).period),
            evaluation=_evaluation(signal, chosen),
            below=signal.below,
            description=_description(name, signal, runbook_url),
        )
        for name, signal in signals.items()
        if (chosen := settings.get(name, AlarmSettings())) is not None
    }
    for alarm in alarms.values():
        alarm.add_alarm_action(*actions)
        alarm.add_ok_action(*ok_actions)
    return alarms


def validate_runbook_url(runbook_url: str | None, signals: Mapping[_Name, Signal]) -> None:
    """Reject what the section's anchor cannot be appended to, or what makes an alarm's text too long."""
    if runbook_url is None or Token.is_unresolved(runbook_url):
        return
    if "#" in runbook_url:
        raise ValueError(f"runbook_url: must have no fragment, as each alarm appends its own, got {runbook_url!r}")
    longest = max(len(_description(name, signal, runbook_url)) for name, signal in signals.items())
    if longest > _MAX_DESCRIPTION:
        raise ValueError(
            f"runbook_url: must be at most {len(runbook_url) - (longest - _MAX_DESCRIPTION)} characters to fit into an "
            f"alarm's text, got {len(runbook_url)}"
        )


def _description(name: str, signal: Signal, runbook_url: str | None) -> str:
    # Nothing follows the URL, not even a full stop that a mail program could take for a part of it.
    where = f"(docs/runbook.md, {name})" if runbook_url is None else f"Runbook: {runbook_url}#{signal.anchor}"
    return f"{signal.description} {where}"


def _alarm(
    scope: Construct, name: str, *, metric: cloudwatch.IMetric, evaluation: _Evaluation, below: bool, description: str
) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        scope,
        name,
        metric=metric,
        threshold=evaluation.threshold,
        evaluation_periods=evaluation.evaluation_periods,
        datapoints_to_alarm=evaluation.datapoints_to_alarm,
        comparison_operator=(
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
            if below
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        # Nothing is published while nothing happens, which is most of a day.
        treat_missing_data=(
            cloudwatch.TreatMissingData.BREACHING if below else cloudwatch.TreatMissingData.NOT_BREACHING
        ),
        alarm_description=description,
    )
