"""The delivery of publications: those of one subscription one after the other, each until accepted or given up."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from publisher.errors import PublicationTooLargeError, PublisherError
from publisher.log_line import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from publisher.publications import Publication

MAX_ENTRIES = 10
"""Entries of one call; EventBridge's limit."""

MAX_BYTES = 256 * 1024
"""Of all entries of one call: EventBridge's older limit for a call, and its targets' for an event."""

ATTEMPTS = 4
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An event as it is put.

    Attributes:
        kind: its detail type.
        resource: the ARN of what it is about.
        detail: its detail, as JSON.
    """

    kind: str
    resource: str
    detail: str

    @property
    def size(self) -> int:
        """Its size in bytes, and a little more for its source and what EventBridge counts besides."""
        return len(self.kind) + len(self.resource) + len(self.detail.encode()) + 64


class EventBus(Protocol):
    """Where publications are put."""

    def put(self, entries: Sequence[Entry]) -> list[PublisherError | None]:
        """Put events in one call, and return for each its failure, or None if it was accepted.

        Raises:
            PublisherError: no event was accepted.
        """


@dataclass
class _Pending:
    position: int
    record_id: str
    publication: Publication
    entry: Entry
    attempts: int = 0


class Delivery:
    """Delivers the publications of a batch.

    Args:
        event_bus: where they are put.
        sleep: waits between two attempts.
    """

    def __init__(self, event_bus: EventBus, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._event_bus = event_bus
        self._sleep = sleep
        self._pending: list[_Pending] = []
        self.failed: set[int] = set()
        """Positions of the records that have an undelivered publication."""

    def add(self, position: int, record_id: str, publication: Publication, *, resource: str) -> None:
        """Add a publication to deliver after those that were added before.

        Args:
            position: of its record in the batch.
            record_id: of its record.
            publication: the event.
            resource: ARN of the registrations table.

        Raises:
            PublicationTooLargeError: EventBridge would not accept it.
        """
        entry = _entry(publication, resource)
        if entry.size > MAX_BYTES:
            entry = _entry(replace(publication, previous=None), resource)
        if entry.size > MAX_BYTES:
            raise PublicationTooLargeError(f"{publication.kind.replace(' ', '')}Of{entry.size}Bytes")
        self._pending.append(_Pending(position, record_id, publication, entry))

    def run(self) -> None:
        """Deliver what was added."""
        pause = PAUSE_SECONDS
        while call := self._next_call():
            try:
                failures = self._event_bus.put([pending.entry for pending in call])
            except PublisherError as error:
                # The SDK has retried it already.
                for pending in call:
                    pending.attempts = ATTEMPTS
                failures = [error] * len(call)
            retried = False
            for pending, failure in zip(call, failures, strict=True):
                pending.attempts += 1
                if failure is None:
                    self._done(pending)
                elif pending.attempts >= ATTEMPTS:
                    self._give_up(pending, failure)
                else:
                    retried = True
            if retried:
                self._sleep(pause)
                pause *= 2

    def _next_call(self) -> list[_Pending]:
        """Return the first publication of each subscription, as many as one call can have."""
        call: dict[tuple[str, str], _Pending] = {}
        size = 0
        for pending in self._pending:
            subscription = pending.publication.subscription
            if subscription in call:
                continue
            size += pending.entry.size
            if len(call) == MAX_ENTRIES or size > MAX_BYTES:
                break
            call[subscription] = pending
        return list(call.values())

    def _done(self, pending: _Pending) -> None:
        self._pending.remove(pending)
        _line(pending, None).write()

    def _give_up(self, pending: _Pending, failure: PublisherError) -> None:
        """Leave a publication, and all that must come after it, to the stream's next attempt."""
        _line(pending, failure).write()
        after = [other for other in self._pending if other.publication.subscription == pending.publication.subscription]
        self.failed.update(other.position for other in after)
        self._pending = [other for other in self._pending if other not in after]


def _entry(publication: Publication, resource: str) -> Entry:
    detail = {
        "id": publication.id,
        "revision": publication.revision,
        "registration": publication.registration,
        "previous": publication.previous,
    }
    return Entry(kind=publication.kind, resource=resource, detail=json.dumps(detail, ensure_ascii=False))


def _line(pending: _Pending, failure: PublisherError | None) -> LogLine:
    publication = pending.publication
    return LogLine(
        record_id=pending.record_id,
        outcome=failure.outcome if failure else "published",
        reason=failure.reason if failure else None,
        publication={
            "detail_type": publication.kind,
            "publication_id": publication.id,
            "attempts": pending.attempts,
        },
        subject=publication.registration,
    )
