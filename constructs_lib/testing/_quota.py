"""The quota of an operation."""

import threading
import time
from collections.abc import Callable


class Quota:
    """A token bucket that holds the calls of one second.

    Args:
        rate: Calls per second.
        clock: The time in seconds.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(rate)
        self._at = clock()

    def allows(self) -> bool:
        """Count a call, and tell whether it is within the quota."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
