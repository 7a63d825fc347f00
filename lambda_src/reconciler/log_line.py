"""The log lines of a run: their fields, which are public, and their writing."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from subscriptions.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from subscriptions.rules import Call

logger = logging.getLogger("reconciler")

Run = Literal["hourly", "first", "backfill"]
"""Why a run takes place. Only what an hourly run finds was to be heard: before the first one there was no rule."""

Finding = Literal[
    "license_missed",
    "agreement_missed",
    "terms_updated",
    "event_stale",
    "buyer_lost",
    "product_unknown",
    Failure,
    "unexpected_error",
]
"""The result of comparing one agreement or license, if there is one to report."""

FINDINGS: tuple[Finding, ...] = get_args(Finding)

Outcome = Literal["finished", "unfinished", "incomplete", "request_invalid"]
"""The result of an invocation."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Operation = Literal["search_agreements", "get_agreement_entitlements", "get_entitlements"]
"""An operation of AWS Marketplace."""

SUBJECT_FIELDS = ("CustomerAWSAccountId", "ProductCode", "ProductId", "LicenseArn", "AgreementId")
"""What a finding is about, named as in the registrations table."""

COUNTS = ("agreements", "licenses", "missed", "buyers_lost", "products_unknown", "failed")
"""What a run counts."""

FINDING_FIELDS = ("outcome", "run", "reason", *SUBJECT_FIELDS)
"""All fields of a finding's line; its message is ``finding``."""

RUN_FIELDS = (
    "outcome",
    "run",
    "reason",
    "since",
    *COUNTS,
    *(f"{operation}_{kind}" for operation in get_args(Operation) for kind in ("calls", "ms")),
)
"""All fields of an invocation's line; its message is ``run``."""

_INFORMATION = frozenset({"terms_updated", "event_stale", "finished", "unfinished"})
_ERRORS = frozenset({"marketplace_refused", "event_malformed", "unexpected_error"})


@dataclass(kw_only=True)
class FindingLine:
    """The log line of one finding; the rules of recording fill it in too.

    Attributes:
        run: why the run takes place.
        outcome: the result; a line without one is not written.
        reason: AWS's error code, or a name of our own.
        subject: what it is about, as far as known; only ``SUBJECT_FIELDS`` are logged.
    """

    run: Run
    outcome: Finding | None = None
    reason: str | None = None
    subject: Mapping[str, str | None] = field(default_factory=dict)

    def timed(self, _call: Call) -> AbstractContextManager[None]:
        """Measure nothing: the run's line has the times."""
        return nullcontext()

    def write(self) -> None:
        """Write the line."""
        subject = {name: self.subject[name] for name in SUBJECT_FIELDS if self.subject.get(name)}
        _write("finding", self.outcome, {"run": self.run, "reason": self.reason, **subject})


@dataclass(kw_only=True)
class RunLine:
    """The log line of one invocation.

    Attributes:
        run: why the run takes place; None if the request does not say.
        outcome: the result.
        reason: what is wrong with the request.
        since: the time after which changes are looked at.
        counts: of ``COUNTS``.
        calls: the number of calls of each operation.
        milliseconds: the time that they took.
    """

    run: Run | None = None
    outcome: Outcome = "incomplete"
    reason: str | None = None
    since: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    def write(self) -> None:
        """Write the line."""
        calls = {f"{operation}_calls": number for operation, number in self.calls.items()}
        times = {f"{operation}_ms": taken for operation, taken in self.milliseconds.items()}
        own = {"run": self.run, "reason": self.reason, "since": self.since}
        _write("run", self.outcome, {**own, **self.counts, **calls, **times})


def _write(message: str, outcome: str | None, fields: Mapping[str, object]) -> None:
    level = logging.WARNING
    if outcome in _INFORMATION:
        level = logging.INFO
    elif outcome in _ERRORS:
        level = logging.ERROR
    given = {name: value for name, value in fields.items() if value is not None}
    logger.log(level, message, extra={"outcome": outcome, **given})
