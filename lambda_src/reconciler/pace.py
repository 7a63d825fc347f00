"""The pace of calls to AWS Marketplace, whose limits the reconciler shares with everything else in the account."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PER_SECOND: Mapping[str, float] = {"search_agreements": 4, "get_agreement_entitlements": 6, "get_entitlements": 8}
"""Calls per second. AWS Marketplace allows 5, 10 and 20; the subscriber needs the rest of the last."""


class Pace:
    """Lets calls of an operation begin no faster than its limit, and counts them.

    Args:
        clock: the time in seconds, from any beginning.
        sleep: waits so many seconds.

    Attributes:
        calls: operation to the number of calls.
        milliseconds: operation to the time that its calls took, without the waits.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._next: dict[str, float] = {}
        self.reset()

    def reset(self) -> None:
        """Start counting from zero."""
        self.calls: dict[str, int] = {}
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Wait until a call may begin, and measure it."""
        now = self._clock()
        begins = max(now, self._next.get(operation, now))
        if begins > now:
            self._sleep(begins - now)
        self._next[operation] = begins + 1 / PER_SECOND[operation]
        start = self._clock()
        try:
            yield
        finally:
            self.calls[operation] = self.calls.get(operation, 0) + 1
            taken = (self._clock() - start) * 1000
            self.milliseconds[operation] = round(self.milliseconds.get(operation, 0) + taken, 1)
