"""Reading of the untrusted body of a message: an event of AWS Marketplace, as EventBridge delivers it to a queue.

https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html

A member that is needed and missing, or of another form than AWS sends, makes the event malformed; members that are not
known are not read. Each kind is accepted from the side of the proposer and of the manufacturer: a direct sale and a
reseller's differ in it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from subscriptions.errors import EventMalformedError
from subscriptions.rules import AgreementEvent, LicenseEvent, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from subscriptions.rules import Event

SOURCE = "aws.agreement-marketplace"

IGNORED_KINDS = frozenset(
    {
        "Purchase Agreement Ending",
        "Purchase Agreement Renewal Terms Finalized",
        "Purchase Agreement Renewal Upcoming",
        "Purchase Agreement Billing Adjustment Completed",
        "Purchase Agreement Billing Adjustment Failed",
        "Agreement Cancellation Request Pending Approval",
        "Agreement Cancellation Request Approved",
        "Agreement Cancellation Request Rejected",
        "Agreement Cancellation Request Cancelled",
        "Agreement Cancellation Request Validation Failed",
        "Spend Threshold Reached",
        "Spend Threshold Vet Succeeded",
        "Spend Threshold Vet Failed",
    }
)
"""Kinds that change neither a license nor an agreement."""

MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit; the buyer's account, the partition key, is always shorter than its own."""

_MAX_DETAIL_TYPE = 80
_SUFFIX = re.compile(r" - (Proposer|Manufacturer)\Z")
_UNPRINTED = re.compile(r"[^A-Za-z0-9 ._:-]", re.ASCII)

_ACCOUNT = re.compile(r"[0-9]{12}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,255}")
# Several spellings are seen, with and without "arn:". A product code has no "#", so the first one of a key ends it.
_ARN = re.compile(r"[A-Za-z0-9:/._+=,@-]{1,1024}")
_WORD = re.compile(r"[A-Z_]{1,64}")
# As EventBridge sends it; only texts of one form sort by time.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_TERM_TIME = re.compile(r"[0-9T:.Z+-]{1,40}")


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What every event has.

    Attributes:
        event_id: of the event.
        detail_type: as it came.
        time: when it happened.
        detail: the rest.
    """

    event_id: str
    detail_type: str
    time: str
    detail: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The detail type without the side that it is meant for."""
        return _SUFFIX.sub("", self.detail_type)

    @property
    def printed_detail_type(self) -> str:
        """The detail type for the log: one that is not known may have been written by anyone."""
        return _UNPRINTED.sub("?", self.detail_type[:_MAX_DETAIL_TYPE])


def read_envelope(body: str) -> Envelope:
    """Read a message's body as far as every event is the same.

    Raises:
        EventMalformedError: it is no event of AWS Marketplace.
    """
    # RecursionError is how the JSON parser rejects a body of brackets.
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise EventMalformedError("NotJson") from None
    if not isinstance(event, dict):
        raise EventMalformedError("NotAnObject")
    if event.get("source") != SOURCE:
        raise EventMalformedError("OtherSource")
    detail_type, detail = event.get("detail-type"), event.get("detail")
    if not isinstance(detail_type, str):
        raise EventMalformedError("DetailTypeInvalid")
    if not isinstance(detail, dict):
        raise EventMalformedError("DetailInvalid")
    return Envelope(
        event_id=_required(event, "Id", _ID, "id"), detail_type=detail_type, time=_time(event), detail=detail
    )


def read_event(envelope: Envelope) -> Event:
    """Read what an event says.

    Raises:
        EventMalformedError: a member that is needed is missing or invalid.
    """
    if read := _READERS.get(envelope.kind):
        return read(envelope)
    return Notice(outcome="event_ignored" if envelope.kind in IGNORED_KINDS else "event_unknown")


def _license(status: Literal["ACTIVE", "DEPROVISIONED"]) -> Callable[[Envelope], Event]:
    def read(envelope: Envelope) -> Event:
        detail = envelope.detail
        event = LicenseEvent(
            at=envelope.time,
            account=_required(detail, "AcceptorAccount", _ACCOUNT, "acceptor", "accountId"),
            product_code=_required(detail, "ProductCode", _ID, "product", "code"),
            license_arn=_required(detail, "LicenseArn", _ARN, "license", "arn"),
            status=status,
            product_id=_optional(detail, "ProductId", _ID, "product", "id"),
            agreement_id=_optional(detail, "AgreementId", _ID, "agreement", "id"),
        )
        if len(event.product_code) + len("#") + len(event.license_arn) > MAX_SORT_KEY_BYTES:
            raise EventMalformedError("LicenseArnInvalid")
        return event

    return read


def _agreement(envelope: Envelope) -> Event:
    detail = envelope.detail
    terms = {
        "AgreementIntent": _required(detail, "AgreementIntent", _WORD, "agreement", "intent"),
        "AgreementAcceptedAt": _optional(detail, "AgreementTimes", _TERM_TIME, "agreement", "acceptanceTime"),
        "AgreementStartsAt": _optional(detail, "AgreementTimes", _TERM_TIME, "agreement", "startTime"),
        "AgreementEndsAt": _optional(detail, "AgreementTimes", _TERM_TIME, "agreement", "endTime"),
        "PreviousAgreementId": _optional(detail, "PreviousAgreement", _ID, "agreement", "previousAgreementId"),
        "OfferId": _optional(detail, "OfferId", _ID, "offer", "id"),
        "ProposerAccountId": _optional(detail, "ProposerAccount", _ACCOUNT, "proposer", "accountId"),
    }
    return AgreementEvent(
        **_agreement_members(envelope), terms={name: value for name, value in terms.items() if value is not None}
    )


def _agreement_ended(envelope: Envelope) -> Event:
    event = AgreementEvent(**_agreement_members(envelope))
    if event.status == "ACTIVE":
        raise EventMalformedError("AgreementStatusInvalid")
    return event


def _agreement_members(envelope: Envelope) -> dict[str, Any]:
    detail = envelope.detail
    return {
        "at": envelope.time,
        "account": _required(detail, "AcceptorAccount", _ACCOUNT, "acceptor", "accountId"),
        "agreement_id": _required(detail, "AgreementId", _ID, "agreement", "id"),
        "status": _required(detail, "AgreementStatus", _WORD, "agreement", "status"),
    }


def _advisory(outcome: Literal["advisory_issued", "advisory_resolved"]) -> Callable[[Envelope], Event]:
    def read(envelope: Envelope) -> Event:
        detail = envelope.detail
        # A person must hear of it, whatever else the event has or lacks.
        subject = {
            "CustomerAWSAccountId": _harmless(detail, _ACCOUNT, "acceptor", "accountId"),
            "ProductId": _harmless(detail, _ID, "product", "id"),
            "AgreementId": _harmless(detail, _ID, "agreement", "id"),
        }
        return Notice(outcome=outcome, subject=subject)

    return read


_READERS: Mapping[str, Callable[[Envelope], Event]] = {
    "License Updated": _license("ACTIVE"),
    "License Deprovisioned": _license("DEPROVISIONED"),
    "Purchase Agreement Created": _agreement,
    "Purchase Agreement Amended": _agreement,
    "Purchase Agreement Ended": _agreement_ended,
    "Purchase Agreement Advisory Issued": _advisory("advisory_issued"),
    "Purchase Agreement Advisory Resolved": _advisory("advisory_resolved"),
}


def _time(event: Mapping[str, Any]) -> str:
    time = _required(event, "Time", _TIME, "time")
    try:
        datetime.fromisoformat(time)
    except ValueError:
        raise EventMalformedError("TimeInvalid") from None
    return time


def _required(members: Mapping[str, Any], name: str, form: re.Pattern[str], *path: str) -> str:
    value = _optional(members, name, form, *path)
    if value is None:
        raise EventMalformedError(f"{name}Missing")
    return value


def _optional(members: Mapping[str, Any], name: str, form: re.Pattern[str], *path: str) -> str | None:
    """Return a member, None if it is absent, null or empty, as it is in copies of one kind for different sellers."""
    value: Any = members
    for step in path:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise EventMalformedError(f"{name}Invalid")
        value = value.get(step)
    if value is None or value == "":
        return None
    if not (isinstance(value, str) and form.fullmatch(value)):
        raise EventMalformedError(f"{name}Invalid")
    return value


def _harmless(members: Mapping[str, Any], form: re.Pattern[str], *path: str) -> str | None:
    try:
        return _optional(members, "", form, *path)
    except EventMalformedError:
        return None
