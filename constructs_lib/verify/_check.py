"""What a check is, and the time that it has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs_lib.verify._subject import Subject

_PAUSE_SECONDS = 2

_T = TypeVar("_T")


class Clock(Protocol):
    """The part of ``time`` that is used here."""

    def monotonic(self) -> float:
        """Return the time in seconds, from any beginning."""

    def time(self) -> float:
        """Return the time in seconds since 1970."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


CLOCK: Clock = time


class NotSeenError(Exception):
    """What a check waits for did not happen in time; the message is what was seen last."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a check saw.

    Attributes:
        seen: for a reader, in one line.
        holds: whether that is what was expected; None for a measurement, which is reported and not judged.
    """

    seen: str
    holds: bool | None


class Deadline:
    """The end of a check's time.

    Args:
        seconds: until then.
        clock: tells the time.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    @property
    def seconds(self) -> float:
        """What is left."""
        return max(self._end - self._clock.monotonic(), 0)

    def until(self, poll: Callable[[], _T], met: Callable[[_T], bool], seen: Callable[[_T], str] = str) -> _T:
        """Ask again and again.

        Args:
            poll: asks.
            met: tells whether the answer is the one that is waited for.
            seen: tells in words what an answer is.

        Raises:
            NotSeenError: the time is over; the message has the last answer.
        """
        while not met(answer := poll()):
            if not self.seconds:
                raise NotSeenError(seen(answer))
            self._clock.sleep(_PAUSE_SECONDS)
        return answer


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
