"""The expected failures of a message; each knows its outcome, and after each the queue delivers it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from subscriber.log_line import Outcome


class SubscriberError(Exception):
    """Base class of every expected failure of a message.

    Args:
        reason: for the log only: AWS's error code or a name of our own, never AWS's message or a part of the event.
    """

    outcome: ClassVar[Outcome]

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EventMalformedError(SubscriberError):
    """The message is not an event of AWS Marketplace, or DynamoDB cannot hold what it says: no retry helps."""

    outcome = "event_malformed"


class EntitlementsThrottledError(SubscriberError):
    """Marketplace still throttled after every retry."""

    outcome = "marketplace_throttled"


class EntitlementsUnavailableError(SubscriberError):
    """Marketplace failed, was too slow or could not be reached, after every retry."""

    outcome = "marketplace_unavailable"


class EntitlementsDeniedError(SubscriberError):
    """Marketplace denies the seller: wrong account, role or region. Only the operator can fix it."""

    outcome = "marketplace_refused"


class TableUnavailableError(SubscriberError):
    """DynamoDB failed after every retry."""

    outcome = "store_unavailable"
