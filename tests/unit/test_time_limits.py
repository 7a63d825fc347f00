"""How long a call may take, and that a request ends inside the function's time whatever AWS does."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.registration._resolver import TIMEOUT_SECONDS
from constructs_lib.subscriptions._functions import TIMEOUT_SECONDS as SUBSCRIPTIONS_TIMEOUT_SECONDS
from reconciler.reconciliation import RESERVE_SECONDS
from sdk import time_limits


def limits(config: Any) -> tuple[float, float, int, str]:
    return config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"], config.retries["mode"]


def longest(config: Any) -> float:
    connect, read, attempts, _ = limits(config)
    # The SDK waits up to 1, 2, 4 … seconds between two attempts.
    waits = sum(2.0**retry for retry in range(attempts - 1))
    return attempts * (connect + read) + waits


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (time_limits.MARKETPLACE, (1, 3, 3, "standard")),
        (time_limits.DYNAMODB, (0.5, 1, 2, "standard")),
        (time_limits.STS, (1, 1, 2, "standard")),
        (time_limits.EVENTS, (1, 3, 3, "standard")),
    ],
)
def test_each_service_has_its_time_limits(config: Any, expected: tuple[float, float, int, str]) -> None:
    assert limits(config) == expected


def test_all_calls_of_a_request_end_inside_the_functions_time() -> None:
    registration = longest(time_limits.STS) + longest(time_limits.MARKETPLACE) + 2 * longest(time_limits.DYNAMODB)
    # Without a license, where subscriptions are used.
    claim = 4 * longest(time_limits.DYNAMODB)

    assert max(registration, claim) < TIMEOUT_SECONDS


def test_the_calls_of_one_message_or_one_publication_end_inside_the_functions_time() -> None:
    message = longest(time_limits.STS) + longest(time_limits.MARKETPLACE) + 2 * longest(time_limits.DYNAMODB)
    publication = longest(time_limits.DYNAMODB) + longest(time_limits.EVENTS)

    assert max(message, publication) < SUBSCRIPTIONS_TIMEOUT_SECONDS


def test_a_comparison_ends_in_the_time_that_is_kept_for_it() -> None:
    agreement = 3 * longest(time_limits.DYNAMODB) + longest(time_limits.MARKETPLACE)
    license_ = 3 * longest(time_limits.DYNAMODB) + 3 * longest(time_limits.MARKETPLACE)

    assert longest(time_limits.STS) + agreement + license_ <= RESERVE_SECONDS
