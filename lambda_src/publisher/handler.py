"""From a batch of the stream's records to publications, and back: the record to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from publisher.errors import PublisherError
from publisher.log_line import LogLine
from publisher.stream_record import read_change, sequence_number, table_arn
from sdk.logs import where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from publisher.delivery import Delivery
    from publisher.publications import Publications
    from publisher.stream_record import Record

    Batch = Mapping[str, Any]
    Response = dict[str, Any]


class Handler:
    """Handles batches of a DynamoDB stream, with partial batch responses.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html

    Args:
        publications: the rules.
        delivery: makes the delivery of one batch.
    """

    def __init__(self, *, publications: Publications, delivery: Callable[[], Delivery]) -> None:
        self._publications = publications
        self._delivery = delivery

    def __call__(self, batch: Batch, _context: object) -> Response:
        """Handle one batch; Lambda repeats it from the first record that is not done, so none after it may be lost."""
        records = batch["Records"]
        delivery = self._delivery()
        stopped_at = None
        for position, record in enumerate(records):
            if not self._add(position, record, delivery):
                stopped_at = position
                break
        delivery.run()
        failed = sorted(delivery.failed | ({stopped_at} if stopped_at is not None else set()))
        return {"batchItemFailures": [{"itemIdentifier": sequence_number(records[at])} for at in failed[:1]]}

    def _add(self, position: int, record: Record, delivery: Delivery) -> bool:
        line = LogLine(record_id=record["eventID"], outcome="unexpected_error")
        try:
            change = read_change(record)
            for publication in self._publications.of(change):
                line.subject = publication.registration
                delivery.add(position, change.record_id, publication, resource=table_arn(record))
        except PublisherError as error:
            line.outcome, line.reason = error.outcome, error.reason
        except Exception as error:  # noqa: BLE001 - a defect must not fail the records before; the line reports it
            line.reason = where(error)
        else:
            return True
        line.write()
        return False
