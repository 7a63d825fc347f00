"""The expected failures of recording; each knows its outcome, and after each it can be repeated."""

from __future__ import annotations

from typing import ClassVar, Literal

Failure = Literal[
    "event_malformed",
    "marketplace_throttled",
    "marketplace_unavailable",
    "marketplace_refused",
    "store_unavailable",
]
"""The outcome of a failure."""


class SubscriptionError(Exception):
    """Base class of every expected failure.

    Args:
        reason: for the log only: AWS's error code or a name of our own, never AWS's message or a part of the event.
    """

    outcome: ClassVar[Failure]

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EventMalformedError(SubscriptionError):
    """The message is not an event of AWS Marketplace, or DynamoDB cannot hold what it says: no retry helps."""

    outcome = "event_malformed"


class MarketplaceThrottledError(SubscriptionError):
    """Marketplace still throttled after every retry."""

    outcome = "marketplace_throttled"


class MarketplaceUnavailableError(SubscriptionError):
    """Marketplace failed, was too slow or could not be reached, after every retry."""

    outcome = "marketplace_unavailable"


class MarketplaceDeniedError(SubscriptionError):
    """Marketplace denies the seller: wrong account, role or region. Only the operator can fix it."""

    outcome = "marketplace_refused"


class TableUnavailableError(SubscriptionError):
    """DynamoDB failed after every retry."""

    outcome = "store_unavailable"
