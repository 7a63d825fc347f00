"""The expected failures of a record or a publication; each knows its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from publisher.log_line import Outcome


class PublisherError(Exception):
    """Base class of every expected failure.

    Args:
        reason: for the log only: AWS's error code or a name of our own, never AWS's message or a part of an item.
    """

    outcome: ClassVar[Outcome]

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EventBusThrottledError(PublisherError):
    """EventBridge asked for fewer events."""

    outcome = "event_bus_throttled"


class EventBusUnavailableError(PublisherError):
    """EventBridge failed, was too slow or could not be reached."""

    outcome = "event_bus_unavailable"


class EventBusDeniedError(PublisherError):
    """EventBridge denies the function or rejects the event: only the operator can fix it."""

    outcome = "event_bus_refused"


class PublicationTooLargeError(PublisherError):
    """The publication is larger than EventBridge accepts, even without what was before."""

    outcome = "publication_too_large"


class TableUnavailableError(PublisherError):
    """DynamoDB failed after every retry."""

    outcome = "store_unavailable"
