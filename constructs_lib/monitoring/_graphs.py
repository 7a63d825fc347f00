"""Graphs for a dashboard, some of them made from signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs_lib.monitoring._signal import Signal

_Name = TypeVar("_Name", bound=str)

FULL_WIDTH = 24
HEIGHT = 6

# For a metric whose alarm was left out.
_PERIOD = Duration.minutes(5)


def graph(
    title: str,
    *,
    left: list[cloudwatch.Metric],
    width: int,
    left_annotations: list[cloudwatch.HorizontalAnnotation] | None = None,
    unit: str | None = None,
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    """Return a graph whose axis begins at 0."""
    return cloudwatch.GraphWidget(
        title=title,
        left=left,
        left_annotations=left_annotations,
        left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        stacked=stacked,
        width=width,
        height=HEIGHT,
    )


def signal_graph(
    title: str,
    *,
    watched: object,
    signals: Mapping[_Name, Signal],
    alarms: Mapping[_Name, cloudwatch.Alarm],
    width: int,
) -> cloudwatch.GraphWidget:
    """Return a graph of all signals that belong into the graph of that title, with the thresholds of their alarms."""
    shown = {name: signal for name, signal in signals.items() if signal.graph == title}
    return graph(
        title,
        left=[
            signal.metric(watched, label=signal.label, period=_period(alarms.get(name)))
            for name, signal in shown.items()
        ],
        left_annotations=thresholds({name: signal.label for name, signal in shown.items()}, alarms),
        width=width,
    )


def thresholds(
    labels: Mapping[_Name, str], alarms: Mapping[_Name, cloudwatch.Alarm]
) -> list[cloudwatch.HorizontalAnnotation]:
    """Return one line per threshold of the alarms that exist; alarms with the same threshold share a line.

    Args:
        labels: alarm name to its label in the graph.
        alarms: name to alarm.
    """
    labels_by_value: dict[float, list[str]] = {}
    for name, label in labels.items():
        if alarm := alarms.get(name):
            labels_by_value.setdefault(alarm.to_annotation().value, []).append(label)
    return [
        cloudwatch.HorizontalAnnotation(
            value=value,
            # A threshold that all metrics of the graph share needs no names.
            label="Alarm" if len(of) == len(labels) else f"Alarm: {', '.join(of)}",
            color=cloudwatch.Color.RED,
        )
        for value, of in labels_by_value.items()
    ]


def _period(alarm: cloudwatch.Alarm | None) -> Duration:
    # A sum can be compared with a threshold only over the alarm's own period, which the seller may change.
    return cast("cloudwatch.Metric", alarm.metric).period if alarm else _PERIOD
