"""The clock of the stand-ins."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class MovableClock:
    """A clock that follows ``source`` and can be shifted."""

    def __init__(self, source: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Set the clock.

        Args:
            source: The underlying clock; pass a constant function for a frozen clock.
        """
        self._source = source
        self._moved = timedelta()

    def __call__(self) -> datetime:
        """Tell the time.

        Returns:
            The source's time plus every shift.
        """
        return self._source() + self._moved

    def advance(self, by: timedelta) -> None:
        """Shift the clock.

        Args:
            by: How far; a negative value shifts it back.
        """
        self._moved += by
