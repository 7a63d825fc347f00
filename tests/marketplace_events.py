"""AWS Marketplace's events in their real envelope, one of each kind that a seller gets, and what each does."""

from __future__ import annotations

import uuid
from typing import Any

SELLER, BUYER, RESELLER = "444455556666", "111122223333", "777788889999"
PRODUCT_CODE, PRODUCT_ID = "a290sds6en72spp3ph4q890es", "prod-c3k5xw2hq7l4e"
AGREEMENT, NEXT_AGREEMENT = "agmt-5n2r8w0qk3v7", "agmt-9x1t4y6zb8m0"
LICENSE = "arn:aws:license-manager::294406891311:license:l-5f0e7c3a9b1d4e2f8a6c"
TIME = "2026-08-20T14:24:23Z"

Event = dict[str, Any]


def event(detail_type: str, detail: dict[str, Any], *, time: str = TIME, event_id: str | None = None) -> Event:
    """Return an event as EventBridge delivers it."""
    agreement = detail.get("agreement", {}).get("id")
    return {
        "version": "0",
        "id": event_id or str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.agreement-marketplace",
        "account": SELLER,
        "time": time,
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{agreement}"] if agreement else [],
        "detail": detail,
    }


def common(agreement: dict[str, Any], *, account: str = BUYER, **members: Any) -> dict[str, Any]:
    """Return the detail that most kinds share."""
    return {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": agreement,
        "acceptor": {"accountId": account},
        "proposer": {"accountId": SELLER},
        **members,
    }


def license_event(
    kind: str,
    *,
    time: str = TIME,
    account: str = BUYER,
    product_code: str = PRODUCT_CODE,
    license_arn: str = LICENSE,
    agreement: str = AGREEMENT,
    product_id: str = PRODUCT_ID,
) -> Event:
    """Return a License Updated or a License Deprovisioned event."""
    detail = common(
        {"id": agreement},
        account=account,
        product={"id": product_id, "code": product_code},
        license={"arn": license_arn},
        offer={"id": "offer-q2w4e6r8t"},
    )
    return event(f"License {kind} - Manufacturer", detail, time=time)


def agreement_event(
    kind: str, *, side: str = "Proposer", time: str = TIME, account: str = BUYER, **agreement: str
) -> Event:
    """Return a Purchase Agreement event; ``agreement`` are members of its agreement."""
    members = {"id": AGREEMENT, **agreement}
    detail = common(members, account=account, **({} if kind == "Ended" else {"offer": {"id": "offer-q2w4e6r8t"}}))
    return event(f"Purchase Agreement {kind} - {side}", detail, time=time)


TERM = {
    "acceptanceTime": "2026-08-20T14:23:11Z",
    "startTime": "2026-08-20T14:23:11Z",
    "endTime": "9999-01-01T00:00:00Z",
}
NEW = {"intent": "NEW", "status": "ACTIVE", **TERM}
AMENDED = {"intent": "AMEND", "status": "ACTIVE", **TERM}


def _request(state: str, status: str) -> Event:
    detail = {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": {"id": AGREEMENT, "acceptorId": BUYER, "productId": PRODUCT_ID, "offerId": "offer-q2w4e6r8t"},
        "agreementCancellationRequest": {
            "id": "acr-1a2b3c4d5e",
            "reasonCode": "OTHER",
            "reasonMessage": "Bought twice",
            "statusCode": status,
            "statusMessage": "",
            "createdAt": "2026-08-20T14:00:00Z",
            "updatedAt": TIME,
        },
    }
    return {**event(f"Agreement Cancellation Request {state} - Proposer", detail), "resources": []}


def _advisory(state: str, advisory: dict[str, str]) -> Event:
    detail = common({"id": AGREEMENT}, product={"id": PRODUCT_ID}, advisory=advisory)
    return event(f"Purchase Agreement Advisory {state} - Manufacturer", detail)


_RENEWAL = {"autoRenewalEnabled": True, "renewalSummary": {"lockoutStartTime": TIME, "disabledBy": None}}

EXAMPLES: list[tuple[Event, str]] = [
    (agreement_event("Created", **NEW), "agreement_recorded"),
    (agreement_event("Created", side="Manufacturer", **NEW), "agreement_recorded"),
    (agreement_event("Amended", **AMENDED), "agreement_recorded"),
    (agreement_event("Amended", side="Manufacturer", **AMENDED), "agreement_recorded"),
    (agreement_event("Ended", status="CANCELLED"), "agreement_ended"),
    (agreement_event("Ended", side="Manufacturer", status="EXPIRED"), "agreement_ended"),
    (license_event("Updated"), "license_updated"),
    (license_event("Deprovisioned"), "license_deprovisioned"),
    (_advisory("Issued", {"issuedAt": TIME}), "advisory_issued"),
    (_advisory("Resolved", {"issuedAt": TIME, "resolvedAt": TIME}), "advisory_resolved"),
    (
        event("Purchase Agreement Ending - Proposer", common({"id": AGREEMENT, "daysBeforeEndTime": 30, **_RENEWAL})),
        "event_ignored",
    ),
    (
        event(
            "Purchase Agreement Renewal Terms Finalized - Proposer",
            common(
                {"id": AGREEMENT, "price": "1200.00", "currency": "USD"}, proposer={"accountId": SELLER, "name": "S"}
            ),
        ),
        "event_ignored",
    ),
    (
        event(
            "Purchase Agreement Renewal Upcoming - Proposer",
            common({"id": AGREEMENT, "tcv": "1200.00", "currency": "USD", "renewalSummary": {"lockoutReached": False}}),
        ),
        "event_ignored",
    ),
    (_request("Pending Approval", "PENDING_APPROVAL"), "event_ignored"),
    (_request("Approved", "APPROVED"), "event_ignored"),
    (_request("Rejected", "REJECTED"), "event_ignored"),
    (_request("Cancelled", "CANCELLED"), "event_ignored"),
    (_request("Validation Failed", "VALIDATION_FAILED"), "event_ignored"),
    (
        {
            **event("Purchase Agreement Billing Adjustment Completed - Proposer", common({"id": AGREEMENT})),
            "resources": [],
        },
        "event_ignored",
    ),
    (
        {
            **event("Purchase Agreement Billing Adjustment Failed - Proposer", common({"id": AGREEMENT})),
            "resources": [],
        },
        "event_ignored",
    ),
    (event("Spend Threshold Reached", {"requestId": "r"}), "event_ignored"),
    (event("Spend Threshold Vet Succeeded", {"requestId": "r"}), "event_ignored"),
    (event("Spend Threshold Vet Failed", {"requestId": "r"}), "event_ignored"),
]
"""Every kind, and its outcome for a license of a product of the seller's that is not known yet."""
