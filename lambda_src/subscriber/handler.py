"""From a batch of messages to the rules, one message at a time, and back to the queue: which ones to deliver again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdk.logs import where
from subscriber.log_line import LogLine
from subscriber.marketplace_event import read_envelope, read_event
from subscriptions.errors import SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from subscriptions.rules import Subscriptions

    Batch = Mapping[str, Any]
    Response = dict[str, Any]


class Handler:
    """Handles batches of an SQS queue, with partial batch responses.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Args:
        subscriptions: the rules.
    """

    def __init__(self, *, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def __call__(self, batch: Batch, _context: object) -> Response:
        """Handle one batch; a message that fails does not fail the others."""
        failed = [message["messageId"] for message in batch["Records"] if not self._handle(message)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _handle(self, message: Mapping[str, Any]) -> bool:
        line = LogLine(message_id=message["messageId"])
        try:
            self._apply(message["body"], line)
        except SubscriptionError as error:
            line.outcome, line.reason = error.outcome, error.reason
            return False
        except Exception as error:  # noqa: BLE001 - a defect must not fail the other messages; the line reports it
            line.outcome, line.reason = "unexpected_error", where(error)
            return False
        finally:
            line.write()
        return True

    def _apply(self, body: str, line: LogLine) -> None:
        envelope = read_envelope(body)
        line.event = {
            "event_id": envelope.event_id,
            "detail_type": envelope.printed_detail_type,
            "time": envelope.time,
        }
        self._subscriptions.apply(read_event(envelope), line)
