"""The one log line of a message: its fields, which are public, and its writing."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from sdk.timing import timed
from subscriptions import rules
from subscriptions.errors import Failure
from subscriptions.rules import Call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

logger = logging.getLogger("subscriber")

Outcome = Literal[rules.Outcome, Failure, "unexpected_error"]
"""The result of a message."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

SUBJECT_FIELDS = ("CustomerAWSAccountId", "ProductCode", "ProductId", "LicenseArn", "AgreementId")
"""What the event is about, named as in the registrations table."""

FIELDS = (
    "outcome",
    "reason",
    "message_id",
    "event_id",
    "detail_type",
    "time",
    *SUBJECT_FIELDS,
    *(f"{call}_ms" for call in get_args(Call)),
)
"""All fields of the line; its message is ``event``."""

_WARNINGS = frozenset(
    {
        "advisory_issued",
        "advisory_resolved",
        "marketplace_throttled",
        "marketplace_unavailable",
        "store_unavailable",
    }
)
_ERRORS = frozenset({"event_malformed", "marketplace_refused", "unexpected_error"})


@dataclass(kw_only=True)
class LogLine:
    """The log line of one message; the rules fill it in step by step.

    Attributes:
        message_id: the queue's ID of the message.
        outcome: the result.
        reason: AWS's error code, or a name of our own; never a part of the message.
        event: ``event_id``, ``detail_type`` and ``time``, as far as known and harmless.
        subject: what the event is about, as far as known; only ``SUBJECT_FIELDS`` are logged.
        milliseconds: the time that each call took.
    """

    message_id: str
    outcome: Outcome | None = None
    reason: str | None = None
    event: dict[str, str] = field(default_factory=dict)
    subject: Mapping[str, str | None] = field(default_factory=dict)
    milliseconds: dict[Call, float] = field(default_factory=dict)

    def timed(self, call: Call) -> AbstractContextManager[None]:
        """Measure the time of a call, whether it succeeds or fails."""
        return timed(self.milliseconds, call)

    def write(self) -> None:
        """Write the line: a warning if the queue's next attempt may succeed or a person should look, or an error."""
        level = logging.INFO
        if self.outcome in _WARNINGS:
            level = logging.WARNING
        elif self.outcome in _ERRORS:
            level = logging.ERROR
        logger.log(
            level,
            "event",
            extra={
                "outcome": self.outcome,
                **({"reason": self.reason} if self.reason else {}),
                "message_id": self.message_id,
                **self.event,
                **{name: self.subject[name] for name in SUBJECT_FIELDS if self.subject.get(name)},
                **{f"{call}_ms": taken for call, taken in self.milliseconds.items()},
            },
        )
