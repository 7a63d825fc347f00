"""What a seller changes of an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from constructs_lib._types import NUMBER, WHOLE, Kind, check_types, duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import Duration

_FIELDS: Mapping[str, Kind] = {
    "threshold": NUMBER.or_none(),
    "period": duration("Duration.minutes(5)").or_none(),
    "evaluation_periods": WHOLE.or_none(),
    "datapoints_to_alarm": WHOLE.or_none(),
}


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """Overrides for one alarm; ``None`` keeps the default.

    Attributes:
        threshold: a period breaches at or above this value; milliseconds for ``ResolverSlow``, otherwise a count.
        period: the time over which the metric is aggregated.
        evaluation_periods: how many of the latest periods are evaluated.
        datapoints_to_alarm: how many of those must breach.

    Raises:
        ValueError: a value is of another type.
    """

    threshold: float | None = None
    period: Duration | None = None
    evaluation_periods: int | None = None
    datapoints_to_alarm: int | None = None

    def __post_init__(self) -> None:
        """Reject a value of another type where it is written."""
        check_types(_FIELDS, vars(self))
