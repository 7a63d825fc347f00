"""The times of the calls that a log line reports."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_Call = TypeVar("_Call", bound=str)


@contextmanager
def timed(milliseconds: dict[_Call, float], call: _Call) -> Iterator[None]:
    """Measure the time of a call, whether it succeeds or fails; the calls of one name add up."""
    start = time.perf_counter()
    try:
        yield
    finally:
        milliseconds[call] = round(milliseconds.get(call, 0) + (time.perf_counter() - start) * 1000, 1)
