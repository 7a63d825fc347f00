"""The time that a check has, and waiting within it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

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
