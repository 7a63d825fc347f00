"""One entry of a table of signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import aws_cloudwatch as cloudwatch


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A metric with everything said and shown about it: its alarm, its place on the dashboard, its runbook section.

    Attributes:
        metric: makes the metric, given the construct that is watched and CDK's MetricOptions.
        threshold: a period breaches at or above this value; if ``below``, below it and without data.
        description: the alarm's text: what happened to buyers, and what to do.
        reason: why the threshold is what it is, for the runbook's table of defaults.
        graph: title of the dashboard's graph.
        label: of the metric in that graph.
        runbook: heading of the runbook's section.
        minutes: the period.
        evaluation_periods: how many of the latest periods are evaluated.
        datapoints_to_alarm: how many of those must breach; None means all.
        below: whether too little is the fault.
    """

    metric: Callable[..., cloudwatch.Metric]
    threshold: float
    description: str
    reason: str
    graph: str
    label: str
    runbook: str
    minutes: int = 5
    evaluation_periods: int = 1
    datapoints_to_alarm: int | None = None
    below: bool = False

    @property
    def anchor(self) -> str:
        """The runbook section's anchor, as GitHub and most Markdown renderers make it of the heading."""
        return self.runbook.lower().replace(",", "").replace(" ", "-")
