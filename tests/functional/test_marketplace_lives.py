"""The lives of buyers of the Marketplace stand-in: their events, and their entitlements as boto3 reads them."""

from __future__ import annotations

import itertools
import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constructs_lib.testing import (
    EntitlementService,
    MarketplaceCustomer,
    MarketplaceEventType,
    MarketplaceOffer,
    MarketplaceStandIn,
    MovableClock,
)
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Event = dict[str, Any]

NOW = datetime(2026, 8, 20, 14, 23, 11, 999_999, tzinfo=UTC)
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/aws-marketplace/aws4_request"
SIGNED = f"{CREDENTIAL}, SignedHeaders=host, Signature={'0' * 64}"
SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
RESELLER = "777788889999"

CREATED, AMENDED, ENDED = (f"Purchase Agreement {kind} - Proposer" for kind in ("Created", "Amended", "Ended"))
UPDATED, DEPROVISIONED = (f"License {kind} - Manufacturer" for kind in ("Updated", "Deprovisioned"))

ENVELOPE = "account detail detail-type id region resources source time version"
COMMON = "acceptor.accountId agreement.id catalog offer.id proposer.accountId requestId"
TERMS = "agreement.acceptanceTime agreement.endTime agreement.intent agreement.startTime agreement.status"
AUTO_RENEWAL = (
    "agreement.autoRenewalEnabled agreement.renewalSummary.disabledBy agreement.renewalSummary.lockoutStartTime"
)
PRODUCT = "product.id product.title"
LICENSE = f"{COMMON} license.arn product.code product.id"
REQUEST = (
    "agreement.acceptorId agreement.id agreement.offerId agreement.productId agreementCancellationRequest.createdAt "
    "agreementCancellationRequest.id agreementCancellationRequest.reasonCode "
    "agreementCancellationRequest.reasonMessage agreementCancellationRequest.statusCode "
    "agreementCancellationRequest.statusMessage agreementCancellationRequest.updatedAt catalog requestId"
)
# By the kind, without the side. AWS does not document the last six, so they have the members that most kinds share.
DETAILS = {
    "Purchase Agreement Created": f"{COMMON} {TERMS}",
    "Purchase Agreement Amended": f"{COMMON} {TERMS} {AUTO_RENEWAL} {PRODUCT}",
    "Purchase Agreement Ended": f"{COMMON} agreement.status".replace("offer.id ", ""),
    "License Updated": LICENSE,
    "License Deprovisioned": LICENSE,
    "Purchase Agreement Advisory Issued": f"{COMMON} advisory.issuedAt product.id",
    "Purchase Agreement Advisory Resolved": f"{COMMON} advisory.issuedAt advisory.resolvedAt product.id",
    "Purchase Agreement Ending": f"{COMMON} {AUTO_RENEWAL} {PRODUCT} agreement.daysBeforeEndTime proposer.name",
    "Purchase Agreement Renewal Terms Finalized": (
        f"{COMMON} {AUTO_RENEWAL} {PRODUCT} agreement.price agreement.renewalSummary.lockoutReached proposer.name"
    ),
    "Purchase Agreement Renewal Upcoming": (
        f"{COMMON} {AUTO_RENEWAL} {PRODUCT} agreement.currency agreement.renewalSummary.lockoutReached agreement.tcv "
        "proposer.name"
    ),
    "Agreement Cancellation Request Pending Approval": REQUEST,
    "Agreement Cancellation Request Approved": REQUEST,
    "Agreement Cancellation Request Rejected": REQUEST,
    "Agreement Cancellation Request Cancelled": REQUEST,
    "Agreement Cancellation Request Validation Failed": REQUEST,
    "Purchase Agreement Billing Adjustment Completed": COMMON,
    "Purchase Agreement Billing Adjustment Failed": COMMON,
    "Spend Threshold Reached": COMMON,
    "Spend Threshold Vet Succeeded": COMMON,
    "Spend Threshold Vet Failed": COMMON,
    "Not Known Yet": COMMON,
}
FORMS = {
    "id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "account": r"\d{12}",
    "detail.requestId": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "detail.agreement.id": r"agmt-[a-z0-9]{25}",
    "detail.agreement.acceptanceTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "detail.agreement.endTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "detail.acceptor.accountId": r"\d{12}",
    "detail.proposer.accountId": r"\d{12}",
    "detail.offer.id": r"offer-[a-z0-9]{13}",
    "detail.product.id": r"prod-[a-z0-9]{13}",
    "detail.license.arn": r"arn:aws:license-manager::\d{12}:license:l-[0-9a-f]{32}",
}


def leaves(members: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def is_well_formed(event: Event, *others: str) -> bool:
    assert sorted(event) == ENVELOPE.split()
    assert (event["version"], event["source"], event["region"]) == ("0", "aws.agreement-marketplace", "us-east-1")
    kind = re.sub(" - (Proposer|Manufacturer)$", "", event["detail-type"])
    assert sorted(leaves(event["detail"])) == sorted({*DETAILS[kind].split(), *others})
    arn = f"arn:aws:aws-marketplace::aws:agreement:{event['detail']['agreement']['id']}"
    assert event["resources"] == ([] if re.search("Cancellation Request|Billing", kind) else [arn])
    assert [
        name for name, value in leaves(event).items() if name in FORMS and not re.fullmatch(FORMS[name], value)
    ] == []
    assert json.loads(json.dumps(event)) == event
    return True


def kinds(events: list[Event]) -> list[str]:
    return [event["detail-type"] for event in events]


def seconds(events: list[Event]) -> list[int]:
    start = NOW.replace(microsecond=0)
    return [int((datetime.fromisoformat(event["time"]) - start).total_seconds()) for event in events]


def agreement(event: Event) -> str:
    return str(event["detail"]["agreement"]["id"])


def license_arn(event: Event) -> str:
    return str(event["detail"]["license"]["arn"])


def make_client(stand_in: MarketplaceStandIn, *, attempts: int = 1, region: str = "us-east-1") -> Any:
    return SESSION.client(
        "marketplace-entitlement",
        region_name=region,
        endpoint_url=stand_in.endpoint_url,
        config=Config(retries={"total_max_attempts": attempts}),
    )


def entitlements(client: Any, product_code: str = PRODUCT_CODE, **request: Any) -> list[dict[str, Any]]:
    pages = client.get_paginator("get_entitlements").paginate(ProductCode=product_code, **request)
    return [entitlement for page in pages for entitlement in page["Entitlements"]]


def values(client: Any, customer: MarketplaceCustomer) -> dict[str, Any]:
    found = entitlements(
        client, customer.product_code, Filter={"CUSTOMER_AWS_ACCOUNT_ID": [customer.customer_aws_account_id]}
    )
    return {entitlement["Dimension"]: next(iter(entitlement["Value"].values())) for entitlement in found}


def error_of(client: Any, **request: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as denied:
        client.get_entitlements(**{"ProductCode": PRODUCT_CODE, **request})
    response = denied.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def post(stand_in: MarketplaceStandIn, body: object, *, authorization: str | None = SIGNED) -> tuple[int, str]:
    headers = {
        "X-Amz-Target": "AWSMPEntitlementService.GetEntitlements",
        "Content-Type": "application/x-amz-json-1.1",
        **({"Authorization": authorization} if authorization else {}),
    }
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = requests.post(stand_in.endpoint_url, data=data, headers=headers, timeout=10)
    return response.status_code, response.json().get("__type", "OK")


@pytest.fixture
def stand_in() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn(clock=MovableClock(lambda: NOW)) as running:
        yield running


@pytest.fixture
def client(stand_in: MarketplaceStandIn) -> Iterator[Any]:
    with closing(make_client(stand_in)) as made:
        yield made


@pytest.fixture
def customer() -> MarketplaceCustomer:
    return MarketplaceCustomer.licensed(PRODUCT_CODE)


def test_a_purchase_is_created_and_then_licensed(stand_in: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    created, updated = events = stand_in.subscribe(customer)

    assert kinds(events) == [CREATED, UPDATED]
    assert seconds(events) == [11, 72]
    assert all(map(is_well_formed, events))
    assert created["id"] != updated["id"]
    assert created["account"] == created["detail"]["proposer"]["accountId"] == "444455556666"
    assert created["detail"]["acceptor"] == {"accountId": customer.customer_aws_account_id}
    assert created["detail"]["agreement"] == {
        "id": customer.agreement_id,
        "intent": "NEW",
        "status": "ACTIVE",
        "acceptanceTime": "2026-08-20T14:23:11Z",
        "startTime": "2026-08-20T14:23:11Z",
        "endTime": "9999-01-01T00:00:00Z",
    }
    assert (agreement(updated), license_arn(updated)) == (customer.agreement_id, customer.license_arn)
    assert updated["detail"]["product"]["code"] == PRODUCT_CODE


def test_a_contract_ends_in_a_year_or_when_it_is_given(stand_in: MarketplaceStandIn, client: Any) -> None:
    year, given_end = (MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(2))
    end = datetime(2027, 1, 1, tzinfo=UTC)

    created = [
        stand_in.subscribe(year, entitlements={"users": 1})[0],
        stand_in.subscribe(given_end, entitlements={"users": 2}, ends=end)[0],
    ]

    assert [event["detail"]["agreement"]["endTime"] for event in created] == [
        "2027-08-20T14:23:11Z",
        "2027-01-01T00:00:00Z",
    ]
    assert [entitlement["ExpirationDate"] for entitlement in entitlements(client)] == [
        NOW.replace(microsecond=0) + timedelta(days=365),
        end,
    ]


def test_events_of_one_product_have_one_product_id_and_those_of_another_another(stand_in: MarketplaceStandIn) -> None:
    buyers = [MarketplaceCustomer.licensed(product) for product in (PRODUCT_CODE, PRODUCT_CODE, "another")]

    first, second, other = (stand_in.subscribe(buyer)[1]["detail"]["product"]["id"] for buyer in buyers)

    assert first == second != other


def test_a_change_amends_the_agreement(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10, "sso": True})

    amended, updated = events = stand_in.change(customer, entitlements={"users": 25})

    assert kinds(events) == [AMENDED, UPDATED]
    assert all(map(is_well_formed, events))
    assert amended["detail"]["agreement"]["intent"] == "AMEND"
    assert (agreement(amended), license_arn(updated)) == (customer.agreement_id, customer.license_arn)
    assert values(client, customer) == {"users": 25}


def test_a_change_with_a_new_agreement_replaces_the_old_one(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10}, ends=NOW + timedelta(days=30))

    created, ended, updated = events = stand_in.change(customer, entitlements={"users": 25}, new_agreement=True)

    assert kinds(events) == [CREATED, ENDED, UPDATED]
    assert (created["detail"]["agreement"]["intent"], ended["detail"]["agreement"]["status"]) == ("REPLACE", "REPLACED")
    assert created["detail"]["agreement"]["previousAgreementId"] == agreement(ended) == customer.agreement_id
    assert created["detail"]["agreement"]["endTime"] == "2026-09-19T14:23:11Z"
    assert agreement(created) == agreement(updated) != customer.agreement_id
    assert license_arn(updated) == customer.license_arn
    assert values(client, customer) == {"users": 25}


def test_a_renewal_may_be_a_new_agreement(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10})

    created, ended, updated = events = stand_in.renew(customer)

    assert kinds(events) == [CREATED, ENDED, UPDATED]
    assert seconds(events) == [73 + 11, 73 + 42, 73 + 72]
    assert is_well_formed(created, "agreement.previousAgreementId", "proposer.name", *PRODUCT.split())
    assert is_well_formed(ended)
    assert is_well_formed(updated)
    assert (created["detail"]["agreement"]["intent"], ended["detail"]["agreement"]["status"]) == ("RENEW", "RENEWED")
    assert created["detail"]["agreement"]["previousAgreementId"] == agreement(ended) == customer.agreement_id
    assert agreement(created) == agreement(updated) != customer.agreement_id
    assert license_arn(updated) == customer.license_arn
    (entitlement,) = entitlements(client)
    assert entitlement["Value"] == {"IntegerValue": 10}
    assert entitlement["ExpirationDate"] == NOW.replace(microsecond=0) + timedelta(days=730)


def test_a_renewal_may_be_a_license_event_alone(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10})
    end = NOW.replace(microsecond=0) + timedelta(days=1)

    (updated,) = stand_in.renew(customer, new_agreement=False, entitlements={"users": 11}, ends=end)

    assert updated["detail-type"] == UPDATED
    assert (agreement(updated), license_arn(updated)) == (customer.agreement_id, customer.license_arn)
    (entitlement,) = entitlements(client)
    assert (entitlement["Value"], entitlement["ExpirationDate"]) == ({"IntegerValue": 11}, end)


def test_a_renewal_may_have_a_new_license_and_deprovision_the_old_one(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10})

    created, ended, updated, deprovisioned = events = stand_in.renew(customer, new_license=True)

    assert kinds(events) == [CREATED, ENDED, UPDATED, DEPROVISIONED]
    assert sorted(events, key=lambda event: str(event["time"])) == events
    assert agreement(created) == agreement(updated) != agreement(ended)
    assert (agreement(deprovisioned), license_arn(deprovisioned)) == (agreement(ended), customer.license_arn)
    assert license_arn(updated) != customer.license_arn
    assert entitlements(client, Filter={"LICENSE_ARN": [license_arn(deprovisioned)]}) == []
    assert len(entitlements(client, Filter={"LICENSE_ARN": [license_arn(updated)]})) == 1
    (next_event, _) = stand_in.cancel(customer)
    assert next_event["time"] > deprovisioned["time"]


def test_a_subscription_that_never_ends_renews_without_an_end(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)

    assert stand_in.renew(customer)[0]["detail"]["agreement"]["endTime"] == "9999-01-01T00:00:00Z"


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "TERMINATED"])
def test_a_cancellation_ends_the_agreement_and_then_the_license_and_its_entitlements(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, status: Any
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10})
    stand_in.clock.advance(timedelta(days=1))

    ended, deprovisioned = events = stand_in.cancel(customer, status=status)

    assert kinds(events) == [ENDED, DEPROVISIONED]
    assert seconds(events) == [86400, 86400 + 31]
    assert all(map(is_well_formed, events))
    assert ended["detail"]["agreement"] == {"id": customer.agreement_id, "status": status}
    assert license_arn(deprovisioned) == customer.license_arn
    assert entitlements(client) == []


@pytest.mark.parametrize("new_license", [False, True])
def test_a_buyer_who_canceled_subscribes_again_with_a_new_agreement(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, *, new_license: bool
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10})
    (_, deprovisioned) = stand_in.cancel(customer)

    created, updated = events = stand_in.resubscribe(customer, new_license=new_license)

    assert kinds(events) == [CREATED, UPDATED]
    assert is_well_formed(created)
    assert created["detail"]["agreement"]["intent"] == "NEW"
    assert agreement(created) == agreement(updated) != customer.agreement_id
    assert (license_arn(updated) != customer.license_arn) is new_license
    assert created["time"] > deprovisioned["time"]
    assert values(client, customer) == {"users": 10}
    stand_in.cancel(customer)
    stand_in.resubscribe(customer, entitlements={"users": 3})
    assert values(client, customer) == {"users": 3}


def test_every_step_of_a_life_is_later_than_the_one_before(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    events = [
        *stand_in.subscribe(customer, entitlements={"users": 1}),
        *stand_in.change(customer, entitlements={"users": 2}),
        *stand_in.change(customer, entitlements={"users": 3}, new_agreement=True),
        *stand_in.renew(customer),
        *stand_in.renew(customer, new_agreement=False),
        *stand_in.renew(customer, new_license=True),
        *stand_in.cancel(customer),
        *stand_in.resubscribe(customer),
        *stand_in.cancel(customer, status="EXPIRED"),
    ]

    times = [event["time"] for event in events]
    assert sorted(set(times)) == times
    assert len({event["id"] for event in events}) == len(events)


def test_the_buyer_of_a_legacy_product_has_a_license_in_events_only(stand_in: MarketplaceStandIn, client: Any) -> None:
    legacy = MarketplaceCustomer.legacy(PRODUCT_CODE)

    created, updated = stand_in.subscribe(legacy, entitlements={"users": 10})
    renewed, *_ = stand_in.renew(legacy, new_license=True)

    assert is_well_formed(created)
    assert is_well_formed(updated)
    assert agreement(renewed) != agreement(created)
    assert stand_in.current(legacy) == legacy
    (entitlement,) = entitlements(client, Filter={"CUSTOMER_IDENTIFIER": [str(legacy.customer_identifier)]})
    assert entitlement["CustomerIdentifier"] == legacy.customer_identifier
    stand_in.cancel(legacy)
    stand_in.resubscribe(legacy)
    assert values(client, legacy) == {"users": 10}


def test_a_seller_gets_the_manufacturers_events_of_a_resellers_sale(stand_in: MarketplaceStandIn) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    events = [
        *stand_in.subscribe(customer, reseller_account_id=RESELLER),
        *stand_in.renew(customer),
        *stand_in.cancel(customer),
        *stand_in.resubscribe(customer),
    ]

    assert {event["detail-type"].rpartition(" - ")[2] for event in events} == {"Manufacturer"}
    assert {event["detail"]["proposer"]["accountId"] for event in events} == {RESELLER}
    assert {event["account"] for event in events} == {"444455556666"}
    assert len({event["detail"]["resaleAuthorization"]["id"] for event in events}) == 1


def test_the_seller_has_the_given_account(customer: MarketplaceCustomer) -> None:
    (event, _) = MarketplaceStandIn(seller_account_id="123456789012").subscribe(customer)

    assert event["account"] == event["detail"]["proposer"]["accountId"] == "123456789012"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda stand_in, customer: stand_in.change(customer, entitlements={}), "is not subscribed"),
        (lambda stand_in, customer: stand_in.renew(customer), "is not subscribed"),
        (lambda stand_in, customer: stand_in.cancel(customer), "is not subscribed"),
        (lambda stand_in, customer: stand_in.resubscribe(customer), "has not canceled"),
    ],
)
def test_a_buyer_who_has_not_subscribed_takes_no_other_step(
    stand_in: MarketplaceStandIn,
    customer: MarketplaceCustomer,
    step: Callable[[MarketplaceStandIn, MarketplaceCustomer], object],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        step(stand_in, customer)


def test_a_buyer_subscribes_once(stand_in: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    stand_in.subscribe(customer)
    with pytest.raises(ValueError, match="has subscribed before: use resubscribe"):
        stand_in.subscribe(customer)
    with pytest.raises(ValueError, match="has not canceled"):
        stand_in.resubscribe(customer)
    stand_in.cancel(customer)
    with pytest.raises(ValueError, match="is not subscribed"):
        stand_in.cancel(customer)


def test_a_new_license_requires_a_new_agreement(stand_in: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    stand_in.subscribe(customer)
    with pytest.raises(ValueError, match="new_license requires new_agreement"):
        stand_in.renew(customer, new_agreement=False, new_license=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_cannot_have_is_rejected(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer, value: float
) -> None:
    with pytest.raises(ValueError, match="'users' must be finite"):
        stand_in.subscribe(customer, entitlements={"users": value})
    stand_in.subscribe(customer)
    with pytest.raises(ValueError, match="'users' must be finite"):
        stand_in.change(customer, entitlements={"users": value})


def test_a_token_resolves_to_the_current_agreement_and_license(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    metering = SESSION.client("meteringmarketplace", region_name="us-east-1", endpoint_url=stand_in.endpoint_url)
    token = stand_in.mint(customer)
    assert stand_in.current(customer) == customer
    stand_in.subscribe(customer)

    created, _, updated, _ = stand_in.renew(customer, new_license=True)
    response = metering.resolve_customer(RegistrationToken=token)

    now = stand_in.current(customer)
    assert response["LicenseArn"] == now.license_arn == license_arn(updated)
    assert now.agreement_id == agreement(created)
    stand_in.publish(fulfillment_url="https://example.com", offers=[MarketplaceOffer(label="x", customer=customer)])
    assert str(now.license_arn) in requests.get(stand_in.page_url, timeout=10).text


def test_a_buyer_is_known_by_the_current_license_and_by_earlier_ones(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    stand_in.renew(customer, new_license=True)

    stand_in.cancel(stand_in.current(customer))

    with pytest.raises(ValueError, match="is not subscribed"):
        stand_in.cancel(customer)


@pytest.mark.parametrize("subscribed", [True, False])
@pytest.mark.parametrize("detail_type", [*get_args(MarketplaceEventType), "Not Known Yet - Proposer"])
def test_an_event_of_any_kind_can_be_made_and_changes_nothing(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, detail_type: str, *, subscribed: bool
) -> None:
    (*_, last) = stand_in.subscribe(customer, entitlements={"users": 1}) if subscribed else [{"time": ""}]

    event = stand_in.event(customer, detail_type)

    assert event["detail-type"] == detail_type
    assert is_well_formed(event)
    assert agreement(event) == customer.agreement_id
    assert event["time"] > last["time"]
    assert len(entitlements(client)) == subscribed


def test_there_are_23_kinds_of_events() -> None:
    assert len(get_args(MarketplaceEventType)) == 23
    assert {re.sub(" - .*", "", kind) for kind in get_args(MarketplaceEventType)} == DETAILS.keys() - {"Not Known Yet"}


def test_an_events_detail_can_be_changed(stand_in: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    event = stand_in.event(customer, ENDED, detail={"agreement": {"status": "RENEWED"}, "unknown": [1]})

    assert event["detail"]["agreement"] == {"id": customer.agreement_id, "status": "RENEWED"}
    assert event["detail"]["unknown"] == [1]
    assert event["detail"]["catalog"] == "AWSMarketplace"


def test_the_lockout_of_a_contract_comes_before_its_end(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, ends=datetime(2027, 1, 2, tzinfo=UTC))

    event = stand_in.event(customer, "Purchase Agreement Ending - Proposer")

    assert event["detail"]["agreement"]["renewalSummary"]["lockoutStartTime"] == "2027-01-01T00:00:00Z"


def lives(stand_in: MarketplaceStandIn) -> list[Event]:
    buyers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(20)]
    return [event for buyer in buyers for event in (*stand_in.subscribe(buyer), *stand_in.cancel(buyer))]


def test_events_are_delivered_in_order_and_once(stand_in: MarketplaceStandIn) -> None:
    events, received = lives(stand_in), list[Event]()

    delivered = stand_in.deliver(events, received.append)

    assert delivered == received == events


def test_a_receiver_that_changes_an_event_changes_no_other_delivery(stand_in: MarketplaceStandIn) -> None:
    events = lives(stand_in)

    delivered = stand_in.deliver(events, lambda event: event["detail"].clear())

    assert delivered == events
    assert all(event["detail"] for event in events)


def test_a_seed_shuffles_events_repeats_some_and_loses_some(stand_in: MarketplaceStandIn) -> None:
    events, ignore = lives(stand_in), list[Event]().append

    def numbers(delivered: list[Event]) -> list[int]:
        return [events.index(event) for event in delivered]

    shuffled = numbers(stand_in.deliver(events, ignore, seed=1))
    repeated = numbers(stand_in.deliver(events, ignore, seed=1, repeated=0.3))
    lossy = numbers(stand_in.deliver(events, ignore, seed=1, lost=0.3))

    assert shuffled != sorted(shuffled) == [*range(80)]
    assert set(repeated) == {*range(80)}
    assert 90 < len(repeated) < 120
    assert 40 < len(lossy) < 70
    assert len(set(lossy)) == len(lossy)
    assert numbers(stand_in.deliver(events, ignore, seed=1)) == shuffled
    assert numbers(stand_in.deliver(events, ignore, seed=2)) != shuffled
    assert stand_in.deliver(events, ignore, seed=1, lost=1) == []
    assert len(stand_in.deliver(events, ignore, seed=1, repeated=1)) == 160


@pytest.mark.parametrize("share", [{"repeated": 0.1}, {"lost": 0.1}])
def test_faults_of_the_delivery_require_a_seed(stand_in: MarketplaceStandIn, share: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="repeated and lost require seed"):
        stand_in.deliver([], print, **share)  # type: ignore[arg-type] # mypy takes the share for the seed too


def test_an_error_of_the_receiver_ends_the_delivery(stand_in: MarketplaceStandIn) -> None:
    with pytest.raises(ZeroDivisionError):
        stand_in.deliver(lives(stand_in), lambda _: 1 // 0)


def test_an_entitlement_has_a_value_of_its_kind(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 10, "terabytes": 1.5, "sso": False, "plan": "pro"})

    found = entitlements(client)

    assert [(entitlement["Dimension"], entitlement["Value"]) for entitlement in found] == [
        ("users", {"IntegerValue": 10}),
        ("terabytes", {"DoubleValue": 1.5}),
        ("sso", {"BooleanValue": False}),
        ("plan", {"StringValue": "pro"}),
    ]
    assert found[0] == {
        "ProductCode": PRODUCT_CODE,
        "Dimension": "users",
        "CustomerAWSAccountId": customer.customer_aws_account_id,
        "Value": {"IntegerValue": 10},
        "ExpirationDate": NOW.replace(microsecond=0) + timedelta(days=365),
        "LicenseArn": customer.license_arn,
    }


def test_an_entitlement_that_never_expires_has_no_expiration_date(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    stand_in.change(customer, entitlements={"users": 1})

    assert "ExpirationDate" not in entitlements(client)[0]


def test_entitlements_outlive_their_expiration_date(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1})
    stand_in.clock.advance(timedelta(days=400))

    assert values(client, customer) == {"users": 1}


def test_two_licenses_of_one_account_are_told_apart_by_license_only(stand_in: MarketplaceStandIn, client: Any) -> None:
    account = "012345678901"
    first, second = (MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=account) for _ in range(2))
    stand_in.subscribe(first, entitlements={"users": 1})
    stand_in.subscribe(second, entitlements={"users": 2})

    by_account = entitlements(client, Filter={"CUSTOMER_AWS_ACCOUNT_ID": [account]})
    by_license = entitlements(client, Filter={"LICENSE_ARN": [str(second.license_arn)]})

    assert [entitlement["Value"] for entitlement in by_account] == [{"IntegerValue": 1}, {"IntegerValue": 2}]
    assert [entitlement["Value"] for entitlement in by_license] == [{"IntegerValue": 2}]


MEMBERS = {
    "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
    "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
    "DIMENSION": "Dimension",
    "LICENSE_ARN": "LicenseArn",
}
ACCOUNTS, LICENSES, DIMENSIONS, IDENTIFIERS = ([f"{kind}{number}" for number in range(3)] for kind in "aldi")
POSSIBLE = dict(zip(MEMBERS, (IDENTIFIERS, ACCOUNTS, DIMENSIONS, LICENSES), strict=True))
numbers = itertools.count()


@st.composite
def filters(draw: st.DrawFn) -> dict[str, list[str]]:
    names = draw(st.sets(st.sampled_from(sorted(MEMBERS))))
    if {"CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID"} <= names:
        names.remove(draw(st.sampled_from(["CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID"])))
    some = {name: st.lists(st.sampled_from([*POSSIBLE[name], "none"]), min_size=1) for name in names}
    return draw(st.fixed_dictionaries(some))


@given(
    buyers=st.lists(
        st.tuples(
            st.sampled_from(ACCOUNTS),
            st.sampled_from([*LICENSES, None]),
            st.sampled_from([*IDENTIFIERS, None]),
            st.dictionaries(st.sampled_from(DIMENSIONS), st.integers(0, 9)),
        ),
        max_size=8,
        unique_by=lambda buyer: buyer[:3],
    ),
    wanted=filters(),
    max_results=st.none() | st.integers(1, 25),
    at_most=st.integers(1, 25),
    empty_pages=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_together_have_each_entitlement_of_the_filters_once(
    stand_in: MarketplaceStandIn,
    client: Any,
    buyers: list[tuple[str, str | None, str | None, dict[str, int]]],
    wanted: dict[str, list[str]],
    max_results: int | None,
    at_most: int,
    *,
    empty_pages: bool,
) -> None:
    product_code = f"product{next(numbers)}"
    expected = []
    for account, arn, identifier, held in buyers:
        buyer = MarketplaceCustomer(
            product_code=product_code,
            customer_aws_account_id=account,
            license_arn=arn,
            agreement_id="a",
            customer_identifier=identifier,
        )
        updated = stand_in.subscribe(buyer, entitlements=held)[-1]
        members = {
            "CustomerAWSAccountId": account,
            "LicenseArn": license_arn(updated),
            "CustomerIdentifier": identifier,
        }
        expected += [(members | {"Dimension": dimension}, value) for dimension, value in held.items()]
    expected = [
        (members, value)
        for members, value in expected
        if all(members[MEMBERS[name]] in allowed for name, allowed in wanted.items())
    ]
    stand_in.entitlements.paginate(at_most, empty_pages=empty_pages)
    request: dict[str, Any] = {"ProductCode": product_code}
    request |= {"Filter": wanted} if wanted else {}
    request |= {"MaxResults": max_results} if max_results else {}

    pages = [client.get_entitlements(**request)]
    while token := pages[-1].get("NextToken"):
        pages.append(client.get_entitlements(**request, NextToken=token))

    found = [entitlement for page in pages for entitlement in page["Entitlements"]]
    assert [
        ({member: entitlement.get(member) for member in MEMBERS.values()}, entitlement["Value"]["IntegerValue"])
        for entitlement in found
    ] == expected
    size = min(max_results or 25, at_most)
    full = [len(page["Entitlements"]) for page in pages]
    if empty_pages:
        assert set(full[::2]) == {0}
        full = full[1::2]
    assert full[:-1] == [size] * (len(full) - 1)
    assert len(full) == max(1, -(-len(expected) // size))


def test_pages_have_25_entitlements_at_most(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={f"d{number}": number for number in range(26)})

    page = client.get_entitlements(ProductCode=PRODUCT_CODE)

    assert len(page["Entitlements"]) == 25
    assert len(entitlements(client)) == 26


def test_an_empty_page_may_be_followed_by_nothing(stand_in: MarketplaceStandIn, client: Any) -> None:
    stand_in.entitlements.paginate()

    page = client.get_entitlements(ProductCode=PRODUCT_CODE)

    assert page["Entitlements"] == []
    page = client.get_entitlements(ProductCode=PRODUCT_CODE, NextToken=page["NextToken"])
    assert page["Entitlements"] == []
    assert "NextToken" not in page


def test_a_cancellation_between_two_pages_hides_no_other_entitlement(stand_in: MarketplaceStandIn, client: Any) -> None:
    buyers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(4)]
    for number, buyer in enumerate(buyers):
        stand_in.subscribe(buyer, entitlements={"users": number})

    page = client.get_entitlements(ProductCode=PRODUCT_CODE, MaxResults=2)
    stand_in.cancel(buyers[0])
    rest = client.get_entitlements(ProductCode=PRODUCT_CODE, MaxResults=2, NextToken=page["NextToken"])

    assert [entitlement["Value"]["IntegerValue"] for entitlement in rest["Entitlements"]] == [2, 3]


def test_a_page_has_at_least_one_entitlement(stand_in: MarketplaceStandIn) -> None:
    with pytest.raises(ValueError, match="at_most must be at least 1, got 0"):
        stand_in.entitlements.paginate(0)


def test_a_next_token_continues_its_own_request_only(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"a": 1, "b": 2})
    token = client.get_entitlements(ProductCode=PRODUCT_CODE, MaxResults=1)["NextToken"]

    assert error_of(client, NextToken="unknown") == ("InvalidParameterException", 400)
    assert error_of(client, ProductCode="another", NextToken=token) == ("InvalidParameterException", 400)
    assert error_of(client, Filter={"DIMENSION": ["a"]}, NextToken=token) == ("InvalidParameterException", 400)
    assert client.get_entitlements(ProductCode=PRODUCT_CODE, NextToken=token)["Entitlements"]


BOTH = {"CUSTOMER_IDENTIFIER": ["i"], "CUSTOMER_AWS_ACCOUNT_ID": ["1"]}


@pytest.mark.parametrize(
    ("request_body", "error"),
    [
        ({"ProductCode": "p"}, "OK"),
        ({"ProductCode": "p" * 255, "Filter": None, "MaxResults": 25, "Unknown": 1}, "OK"),
        ({}, "InvalidParameterException"),
        ({"ProductCode": ""}, "InvalidParameterException"),
        ({"ProductCode": "p" * 256}, "InvalidParameterException"),
        ({"ProductCode": "p", "MaxResults": 0}, "InvalidParameterException"),
        ({"ProductCode": "p", "MaxResults": 26}, "InvalidParameterException"),
        ({"ProductCode": "p", "Filter": {"UNKNOWN": ["x"]}}, "InvalidParameterException"),
        ({"ProductCode": "p", "Filter": {"DIMENSION": []}}, "InvalidParameterException"),
        ({"ProductCode": "p", "Filter": BOTH}, "InvalidParameterException"),
        ({"ProductCode": 1}, "SerializationException"),
        ({"ProductCode": "p", "MaxResults": "1"}, "SerializationException"),
        ({"ProductCode": "p", "MaxResults": True}, "SerializationException"),
        ({"ProductCode": "p", "Filter": []}, "SerializationException"),
        ({"ProductCode": "p", "Filter": {"DIMENSION": "users"}}, "SerializationException"),
        ({"ProductCode": "p", "Filter": {"DIMENSION": [1]}}, "SerializationException"),
        ({"ProductCode": "p", "NextToken": 1}, "SerializationException"),
        ([], "SerializationException"),
        (b"{", "SerializationException"),
    ],
)
def test_an_invalid_request_is_rejected(stand_in: MarketplaceStandIn, request_body: object, error: str) -> None:
    assert post(stand_in, request_body) == (200 if error == "OK" else 400, error)

    (call,) = stand_in.entitlements.calls
    assert call.outcome == error
    assert call.request == (request_body if isinstance(request_body, dict) else {})


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Basic dGVzdDp0ZXN0", "IncompleteSignatureException"),
        (SIGNED.replace("aws-marketplace", "execute-api"), "InvalidSignatureException"),
        (SIGNED.replace("us-east-1", "eu-central-1"), "InvalidSignatureException"),
    ],
)
def test_a_call_that_is_not_signed_for_the_service_and_its_region_is_rejected_and_uses_up_no_fault(
    stand_in: MarketplaceStandIn, client: Any, authorization: str | None, error: str
) -> None:
    stand_in.entitlements.throttle()

    assert post(stand_in, {"ProductCode": "p"}, authorization=authorization)[1] == error
    assert error_of(client) == ("ThrottlingException", 400)
    assert [call.outcome for call in stand_in.entitlements.calls] == [error, "ThrottlingException"]


@pytest.mark.parametrize("region", ["us-east-1", "cn-northwest-1", "eusc-de-east-1"])
def test_a_call_is_recorded(stand_in: MarketplaceStandIn, region: str) -> None:
    with closing(make_client(stand_in, region=region)) as client:
        client.get_entitlements(ProductCode="p", Filter={"LICENSE_ARN": ["l"]}, MaxResults=3)

    (call,) = stand_in.entitlements.calls
    assert call.request == {"ProductCode": "p", "Filter": {"LICENSE_ARN": ["l"]}, "MaxResults": 3}
    assert (call.access_key_id, call.region, call.outcome) == ("test", region, "OK")
    assert stand_in.calls == ()


@pytest.mark.parametrize(
    ("inject", "error"),
    [
        (EntitlementService.throttle, ("ThrottlingException", 400)),
        (EntitlementService.fail, ("InternalServiceErrorException", 500)),
        (EntitlementService.refuse, ("AccessDeniedException", 400)),
        (partial(EntitlementService.refuse, code="InvalidParameterException"), ("InvalidParameterException", 400)),
    ],
)
def test_a_fault_hits_its_own_operation_as_often_as_it_is_injected(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, inject: Any, error: tuple[str, int]
) -> None:
    metering = SESSION.client("meteringmarketplace", region_name="us-east-1", endpoint_url=stand_in.endpoint_url)
    stand_in.subscribe(customer, entitlements={"users": 1})
    inject(stand_in.entitlements, times=2)

    assert metering.resolve_customer(RegistrationToken=stand_in.mint(customer))["ProductCode"] == PRODUCT_CODE
    assert [error_of(client) for _ in range(2)] == [error, error]
    stand_in.throttle()
    assert values(client, customer) == {"users": 1}
    assert [call.outcome for call in stand_in.entitlements.calls] == [error[0], error[0], "OK"]
    assert [call.outcome for call in stand_in.calls] == ["OK"]


def test_an_error_names_the_operation(stand_in: MarketplaceStandIn, client: Any) -> None:
    stand_in.entitlements.refuse()

    with pytest.raises(ClientError, match="not authorized to perform: aws-marketplace:GetEntitlements because"):
        client.get_entitlements(ProductCode=PRODUCT_CODE)


def test_the_sdk_retries_a_throttled_call_and_a_lost_response(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1})
    stand_in.entitlements.throttle()
    stand_in.entitlements.close_connection()
    with closing(make_client(stand_in, attempts=3)) as client:
        assert values(client, customer) == {"users": 1}

    assert [call.outcome for call in stand_in.entitlements.calls] == ["ThrottlingException", "ConnectionClosed", "OK"]


def test_a_response_can_be_lost_late_or_the_tests_own(stand_in: MarketplaceStandIn, client: Any) -> None:
    stand_in.entitlements.close_connection()
    stand_in.entitlements.slow_down(0.01)
    stand_in.entitlements.answer({"Entitlements": [{"Dimension": "unexpected"}]})

    with pytest.raises(ConnectionClosedError):
        client.get_entitlements(ProductCode=PRODUCT_CODE)
    assert entitlements(client) == []
    assert entitlements(client) == [{"Dimension": "unexpected"}]


def test_faults_and_calls_can_be_removed(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"a": 1, "b": 2})
    stand_in.entitlements.paginate(1, empty_pages=False)
    stand_in.entitlements.throttle(2)
    error_of(client)
    stand_in.entitlements.clear_faults()
    assert len(entitlements(client)) == 2
    stand_in.entitlements.throttle()

    stand_in.reset()

    assert stand_in.entitlements.calls == ()
    assert len(entitlements(client)) == 2
    assert len(stand_in.entitlements.calls) == 2
