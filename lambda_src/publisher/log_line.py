"""The one log line of a publication, or of a record that none could be made of: its fields, which are public."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("publisher")

Outcome = Literal[
    "published",
    "event_bus_throttled",
    "event_bus_unavailable",
    "event_bus_refused",
    "publication_too_large",
    "store_unavailable",
    "unexpected_error",
]
"""The result of a publication."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

SUBJECT_FIELDS = ("CustomerAWSAccountId", "ProductCode", "LicenseArn", "AgreementId")
"""What the publication is about, named as in the registrations table."""

FIELDS = ("outcome", "reason", "record_id", "detail_type", "publication_id", "attempts", *SUBJECT_FIELDS)
"""All fields of the line; its message is ``publication``."""

_LEVELS: Mapping[Outcome, int] = {
    "published": logging.INFO,
    "event_bus_throttled": logging.WARNING,
    "event_bus_unavailable": logging.WARNING,
    "store_unavailable": logging.WARNING,
}


@dataclass(kw_only=True)
class LogLine:
    """The log line of one publication.

    Attributes:
        record_id: the stream's ID of the record that it is made of.
        outcome: the result.
        reason: AWS's error code, or a name of our own.
        publication: ``detail_type``, ``publication_id`` and ``attempts``, if one could be made.
        subject: what it is about; only ``SUBJECT_FIELDS`` are logged.
    """

    record_id: str
    outcome: Outcome
    reason: str | None = None
    publication: Mapping[str, object] = field(default_factory=dict)
    subject: Mapping[str, object] = field(default_factory=dict)

    def write(self) -> None:
        """Write the line: a warning if the stream's next attempt may succeed, otherwise an error."""
        logger.log(
            _LEVELS.get(self.outcome, logging.ERROR),
            "publication",
            extra={
                "outcome": self.outcome,
                **({"reason": self.reason} if self.reason else {}),
                "record_id": self.record_id,
                **self.publication,
                **{name: self.subject[name] for name in SUBJECT_FIELDS if name in self.subject},
            },
        )
