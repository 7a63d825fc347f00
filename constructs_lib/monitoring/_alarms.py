"""Alarms made from a table of signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from constructs_lib.monitoring.alarm_settings import AlarmSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs_lib.monitoring._signal import Signal

_Name = TypeVar("_Name", bound=str)


def make_alarms(
    watched: Construct,
    *,
    signals: Mapping[_Name, Signal],
    actions: Sequence[cloudwatch.IAlarmAction],
    settings: Mapping[_Name, AlarmSettings | None],
) -> Mapping[_Name, cloudwatch.Alarm]:
    """Make the alarms of one construct, in a construct ``Alarms`` below it, and return them by name.

    Args:
        watched: the construct whose metrics the signals make.
        signals: alarm name to signal.
        actions: actions of every alarm.
        settings: alarm name to its overrides, or to None to leave the alarm out.
    """
    scope = Construct(watched, "Alarms")
    alarms = {
        name: _alarm(scope, name, signal, watched, chosen)
        for name, signal in signals.items()
        if (chosen := settings.get(name, AlarmSettings())) is not None
    }
    for alarm in alarms.values():
        alarm.add_alarm_action(*actions)
    return alarms


def _alarm(scope: Construct, name: str, signal: Signal, watched: Construct, chosen: AlarmSettings) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        scope,
        name,
        metric=signal.metric(watched, period=chosen.period or Duration.minutes(signal.minutes)),
        threshold=signal.threshold if chosen.threshold is None else chosen.threshold,
        evaluation_periods=chosen.evaluation_periods or 1,
        datapoints_to_alarm=chosen.datapoints_to_alarm or 1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        # Nothing is published while nothing happens, which is most of a day.
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=f"{signal.description} (docs/runbook.md, {name})",
    )
