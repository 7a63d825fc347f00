"""Times as events have them: only texts of one form sort by time."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST_YEAR = 2012


def parse(time: str) -> datetime:
    """Return the time of a text as events have it."""
    return datetime.fromisoformat(time)


def text(time: datetime) -> str:
    """Return a time as events have it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_time(value: object) -> bool:
    """Tell whether a value is a time as events have it, and not before AWS Marketplace."""
    try:
        time = parse(str(value))
    except ValueError:
        return False
    return time.year >= _FIRST_YEAR and text(time) == value
