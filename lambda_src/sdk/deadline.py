"""The time by which the calls of a request must have ended."""

from __future__ import annotations

import math
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is left for writing the log lines and the response when the last call is interrupted.
_RESERVE_SECONDS = 1


class DeadlineExceededError(BaseException):
    """A call did not end in time; no ``Exception``, because botocore catches and retries those."""


class Deadline:
    """Bounds every call to AWS by the time that the request has left.

    A sum of time limits is no bound: the read limit is for each piece that is received, the connect limit for each
    address and again for the TLS handshake, and a service may ask the SDK to wait before a retry. Here the operating
    system's timer interrupts the call, whatever it waits for. Lambda answers one request at a time, in the main thread
    of its process, as a timer's signal needs. Until one of ``set`` and ``set_by`` is called there is no bound.
    """

    def __init__(self) -> None:
        self._at = math.inf
        self._within_call = False

    def set(self, seconds: float) -> None:
        """Let calls end within so many seconds from now."""
        signal.signal(signal.SIGALRM, self._expire)
        self._at = time.monotonic() + seconds

    def set_by(self, context: Any) -> None:
        """Let calls end a second before the function's own time does, which Lambda's context tells."""
        self.set(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Interrupt the body of the ``with`` statement at the deadline.

        Raises:
            DeadlineExceededError: the time is up.
        """
        if self._at == math.inf:
            yield
            return
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineExceededError
        self._within_call = True
        signal.setitimer(signal.ITIMER_REAL, left)
        try:
            yield
        finally:
            # First, so that a signal that is late finds no call to interrupt.
            self._within_call = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _expire(self, *_: object) -> None:
        if self._within_call:
            raise DeadlineExceededError
