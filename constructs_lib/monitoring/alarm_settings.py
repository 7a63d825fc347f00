"""What a seller changes of an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import Duration


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """Overrides for one alarm; ``None`` keeps the default.

    Attributes:
        threshold: a period breaches at or above this value, with ``ReconciliationsLate`` below it; milliseconds for
            ``ResolverSlow`` and ``PublicationsDelayed``, seconds for ``EventsDelayed``, otherwise a count.
        period: the time over which the metric is aggregated: whole minutes, or 10 or 30 seconds.
        evaluation_periods: how many of the latest periods are evaluated: together at most seven days, or one day for a
            period below an hour.
        datapoints_to_alarm: how many of those must breach; by default all of them, except for
            ``RecurringServerErrors``, which keeps its two.
    """

    threshold: float | None = None
    period: Duration | None = None
    evaluation_periods: int | None = None
    datapoints_to_alarm: int | None = None
