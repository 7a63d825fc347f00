"""The adapter of EventBridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from publisher.errors import (
    EventBusDeniedError,
    EventBusThrottledError,
    EventBusUnavailableError,
    PublisherError,
)
from sdk.errors import CallFailedError, one_kind_of_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from publisher.delivery import Entry
    from sdk.deadline import Deadline

SOURCE = "marketplace-registration"

_HTTP_BAD_REQUEST, _HTTP_SERVER_ERROR = 400, 500
# What PutEvents says of one entry that it could not put for a reason of its own.
_INTERNAL = frozenset({"InternalException", "InternalFailure"})


class Client(Protocol):
    """boto3's ``events``, as far as it is used."""

    def put_events(self, **request: Any) -> dict[str, Any]:
        """Put events."""


class EventBridge:
    """Puts events on a bus.

    Args:
        client: with the function's credentials.
        event_bus: name or ARN.
        deadline: bounds each call.
    """

    def __init__(self, client: Client, *, event_bus: str, deadline: Deadline) -> None:
        self._client = client
        self._event_bus = event_bus
        self._deadline = deadline

    def put(self, entries: Sequence[Entry]) -> list[PublisherError | None]:
        """Put events in one call, and return for each its failure, or None if it was accepted."""
        request = [
            {
                "Source": SOURCE,
                "DetailType": entry.kind,
                "Resources": [entry.resource],
                "Detail": entry.detail,
                "EventBusName": self._event_bus,
            }
            for entry in entries
        ]
        try:
            with one_kind_of_error(self._deadline):
                response = self._client.put_events(Entries=request)
        except CallFailedError as failure:
            raise _error(failure) from None
        results = response.get("Entries", [])
        if len(results) != len(entries):
            raise EventBusUnavailableError("UnusableResponseError")
        return [_entry_error(result) for result in results]


def _entry_error(result: dict[str, Any]) -> PublisherError | None:
    code = result.get("ErrorCode")
    if code is None:
        return None
    status = _HTTP_SERVER_ERROR if code in _INTERNAL else _HTTP_BAD_REQUEST
    return _error(CallFailedError(code, status=status))


def _error(failure: CallFailedError) -> PublisherError:
    kind = failure.choose(
        throttled=EventBusThrottledError, unavailable=EventBusUnavailableError, otherwise=EventBusDeniedError
    )
    return kind(failure.reason)
