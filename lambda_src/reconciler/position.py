"""How far a run came, so that the next invocation can go on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from reconciler.log_line import Run
from reconciler.times import is_time, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Step = Literal["updated", "started", "known"]
"""What is compared: agreements that changed, those dated ahead that start, licenses whose agreement is not found."""

STEPS: tuple[Step, ...] = get_args(Step)


class PositionInvalidError(ValueError):
    """It is none that this release wrote."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a run came; a time is as events have it.

    Attributes:
        run: why it takes place.
        since: the time after which changes are looked at.
        began: when it began.
        step: what is compared at the moment.
        after: where the search of the step goes on; empty where it begins. All agreements of that second are compared
            again, so an invocation must have time for more than those.
        key: the key after which the scan of the step goes on; empty where it begins.
        failed: how many comparisons have failed.
    """

    run: Run
    since: str
    began: str
    step: Step = "updated"
    after: str = ""
    key: Mapping[str, str]
    failed: int = 0

    @classmethod
    def first(cls, run: Run, *, since: datetime, began: datetime) -> Self:
        """Return where a run begins."""
        return cls(run=run, since=text(since), began=text(began), key={})

    @classmethod
    def read(cls, members: object) -> Self:
        """Return what ``write`` returned.

        Raises:
            PositionInvalidError: it is something else.
        """
        names = cls.__dataclass_fields__.keys()
        if not (isinstance(members, dict) and members.keys() == names and isinstance(members["key"], dict)):
            raise PositionInvalidError
        if members["run"] not in get_args(Run) or members["step"] not in STEPS:
            raise PositionInvalidError
        times = [members["since"], members["began"], *filter(None, [members["after"]])]
        if not all(map(is_time, times)) or not all(isinstance(value, str) for value in members["key"].values()):
            raise PositionInvalidError
        if not isinstance(members["after"], str) or not isinstance(members["failed"], int):
            raise PositionInvalidError
        return cls(**members)

    def write(self) -> dict[str, Any]:
        """Return the members, of JSON's kinds."""
        return asdict(self)

    def at(self, step: Step) -> Self:
        """Return the beginning of a step, or how far it came if it is this one."""
        return self if step == self.step else replace(self, step=step, after="", key={})
