from __future__ import annotations

import time

import pytest

from sdk.deadline import Deadline, DeadlineExceededError


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 1100


def test_calls_end_a_second_before_the_functions_time_does() -> None:
    deadline = Deadline()
    deadline.set_by(Context())
    start = time.monotonic()

    with pytest.raises(DeadlineExceededError), deadline.bound():
        time.sleep(1)

    assert time.monotonic() - start < 0.9
