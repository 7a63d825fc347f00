"""AWS Marketplace's events in the envelope of EventBridge, of every kind that a seller receives.

https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of an agreement that has none."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """An agreement, as far as events say.

    Attributes:
        agreement_id: ``agreement.id``.
        intent: ``agreement.intent``.
        previous_agreement_id: The agreement that this one continues.
        initial_agreement_id: The first agreement of those that this one continues; itself if it continues none.
        accepted_at: When the buyer accepted the offer.
        starts_at: When it starts.
        ends_at: When it ends.
        offer_id: ``offer.id``.
        product_code: ``product.code``.
        license_arn: ``license.arn``.
        buyer: The buyer's account.
        seller: The account that published the product, and gets the events.
        reseller: The account that extended the offer, if another one did.
        resale_authorization_id: The seller's authorization of the reseller.
    """

    agreement_id: str
    intent: str = "NEW"
    previous_agreement_id: str | None = None
    initial_agreement_id: str
    accepted_at: datetime
    starts_at: datetime
    ends_at: datetime
    offer_id: str
    product_code: str
    license_arn: str
    buyer: str
    seller: str
    reseller: str | None = None
    resale_authorization_id: str | None = None

    @property
    def proposer(self) -> str:
        """The account that extended the offer."""
        return self.reseller or self.seller

    @property
    def product_id(self) -> str:
        """``product.id``, the same for each agreement of a product, without asking the seller for it."""
        return f"prod-{hashlib.sha256(self.product_code.encode()).hexdigest()[:13]}"

    @property
    def side(self) -> str:
        """The seller's side: of a direct sale, the manufacturer gets the proposer's agreement events only."""
        return "Manufacturer" if self.reseller else "Proposer"


def marketplace_event(
    detail_type: str, agreement: Agreement, at: datetime, detail: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an event.

    Args:
        detail_type: ``detail-type``; one that is not known gets the members that most kinds share.
        agreement: The agreement that it is about.
        at: ``time``.
        detail: Merged into the event's ``detail``.
    """
    kind = detail_type.removesuffix(" - Proposer").removesuffix(" - Manufacturer")
    make = next((make for prefix, make in _DETAILS.items() if kind.startswith(prefix)), _common)
    without_resource = kind.startswith((_CANCELLATION, "Purchase Agreement Billing Adjustment"))
    arn = f"arn:aws:aws-marketplace::aws:agreement:{agreement.agreement_id}"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.agreement-marketplace",
        "account": agreement.seller,
        "time": _text(at),
        "region": "us-east-1",
        "resources": [] if without_resource else [arn],
        "detail": _merged(make(agreement, kind, at), detail or {}),
    }


_CANCELLATION = "Agreement Cancellation Request "


def _common(agreement: Agreement, _kind: str, _at: datetime) -> dict[str, Any]:
    detail = {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": {"id": agreement.agreement_id},
        "acceptor": {"accountId": agreement.buyer},
        "proposer": {"accountId": agreement.proposer},
        "offer": {"id": agreement.offer_id},
    }
    if agreement.resale_authorization_id is not None:
        detail["resaleAuthorization"] = {"id": agreement.resale_authorization_id}
    return detail


def _with(
    members: Callable[[Agreement, str, datetime], Mapping[str, Any]],
) -> Callable[[Agreement, str, datetime], dict[str, Any]]:
    return lambda agreement, kind, at: _merged(_common(agreement, kind, at), members(agreement, kind, at))


def _terms(agreement: Agreement, _kind: str, _at: datetime) -> dict[str, Any]:
    terms = {
        "agreement": {
            "intent": agreement.intent,
            "status": "ACTIVE",
            "acceptanceTime": _text(agreement.accepted_at),
            "startTime": _text(agreement.starts_at),
            "endTime": _text(agreement.ends_at),
        }
    }
    if agreement.previous_agreement_id is None:
        return terms
    previous = {"agreement": {"previousAgreementId": agreement.previous_agreement_id}}
    return _merged(_merged(terms, previous), {**_product(agreement), **_PROPOSER})


def _amended(agreement: Agreement, kind: str, at: datetime) -> dict[str, Any]:
    amended = {"agreement": {"intent": "AMEND"}, **_product(agreement)}
    return _merged(_merged(_terms(agreement, kind, at), amended), _auto_renewal(agreement, at))


def _ended(agreement: Agreement, kind: str, at: datetime) -> dict[str, Any]:
    detail = _merged(_common(agreement, kind, at), {"agreement": {"status": "CANCELLED"}})
    # The reference has it, a real event does not.
    del detail["offer"]
    return detail


def _license(agreement: Agreement, _kind: str, _at: datetime) -> dict[str, Any]:
    return {
        "product": {"id": agreement.product_id, "code": agreement.product_code},
        "license": {"arn": agreement.license_arn},
    }


def _advisory(agreement: Agreement, kind: str, at: datetime) -> dict[str, Any]:
    issued, resolved = {"issuedAt": _text(at)}, {"resolvedAt": _text(at)}
    return {
        "product": {"id": agreement.product_id},
        "advisory": issued | resolved if kind.endswith("Resolved") else issued,
    }


def _ending(agreement: Agreement, _kind: str, at: datetime) -> dict[str, Any]:
    return _merged(
        {"agreement": {"daysBeforeEndTime": 30}, **_product(agreement), **_PROPOSER}, _auto_renewal(agreement, at)
    )


def _renewal(agreement: Agreement, kind: str, at: datetime) -> dict[str, Any]:
    value = {"price": "1200.00"} if kind.endswith("Finalized") else {"tcv": "1200.00", "currency": "USD"}
    renewal = {"agreement": {**value, "renewalSummary": {"lockoutReached": False}}, **_product(agreement), **_PROPOSER}
    return _merged(_auto_renewal(agreement, at), renewal)


def _cancellation(agreement: Agreement, kind: str, at: datetime) -> dict[str, Any]:
    return {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": {
            "id": agreement.agreement_id,
            "acceptorId": agreement.buyer,
            "productId": agreement.product_id,
            "offerId": agreement.offer_id,
        },
        "agreementCancellationRequest": {
            "id": f"acr-{uuid.uuid4().hex[:13]}",
            "reasonCode": "OTHER",
            "reasonMessage": "Bought twice",
            "statusCode": kind.removeprefix(_CANCELLATION).upper().replace(" ", "_"),
            "statusMessage": "",
            "createdAt": _text(at),
            "updatedAt": _text(at),
        },
    }


def _auto_renewal(agreement: Agreement, at: datetime) -> dict[str, Any]:
    lockout = at if agreement.ends_at == NEVER else agreement.ends_at - timedelta(days=1)
    summary = {"lockoutStartTime": _text(lockout), "disabledBy": None}
    return {"agreement": {"autoRenewalEnabled": True, "renewalSummary": summary}}


def _product(agreement: Agreement) -> dict[str, Any]:
    return {"product": {"id": agreement.product_id, "title": "Product"}}


_PROPOSER = {"proposer": {"name": "Seller"}}

# By the beginning of the kind. The shape of the others, about billing and spending, is not known.
_DETAILS: Mapping[str, Callable[[Agreement, str, datetime], dict[str, Any]]] = {
    "Purchase Agreement Created": _with(_terms),
    "Purchase Agreement Amended": _with(_amended),
    "Purchase Agreement Ended": _ended,
    "Purchase Agreement Advisory": _with(_advisory),
    "Purchase Agreement Ending": _with(_ending),
    "Purchase Agreement Renewal": _with(_renewal),
    "License": _with(_license),
    _CANCELLATION: _cancellation,
}


def _merged(detail: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(detail)
    for name, value in other.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
