"""What a check is, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a check saw.

    Attributes:
        seen: for a reader, in one line.
        holds: whether that is what was expected; None for a measurement, which is reported and not judged.
    """

    seen: str
    holds: bool | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that only AWS can show.

    Attributes:
        name: what documentation calls it.
        expected: for a reader.
        seconds: its time limit.
        run: looks, within the deadline.
        left_out: returns the reason for which this subject cannot show it, or nothing.
    """

    name: str
    expected: str
    seconds: int
    run: Callable[[Subject, Deadline], Result]
    left_out: Callable[[Subject], str] = lambda _: ""


def local(reason: str) -> Callable[[Subject], str]:
    """Leave a check out on the local AWS."""
    return lambda subject: f"the local AWS {reason}" if subject.local else ""


def compared(wrong: list[str], right: str) -> Result:
    """Return that nothing is wrong, or what is."""
    return Result(seen="; ".join(wrong) or right, holds=not wrong)
