"""What a claim tells of a license where a subscriber records it, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.emulated.api_events import form_event, json_event
from local.emulated.faulty_dynamodb import FaultyDynamoDB
from local.product import PRODUCT_CODE
from resolver.composition import compose
from sdk.deadline import Deadline
from subscriptions.rules import LicenseEvent
from subscriptions.store import DynamoDBStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings
    from tests.functional.conftest import Tables

AT, LATER = "2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"
USERS: list[Any] = [{"Dimension": "Users", "Value": {"IntegerValue": 25}}]
SEATS: list[Any] = [{"Dimension": "Seats", "Value": {"IntegerValue": 3}}]


@pytest.fixture
def dynamodb(dynamodb_url: str) -> Iterator[FaultyDynamoDB]:
    with FaultyDynamoDB(dynamodb_url) as proxy:
        yield proxy


@pytest.fixture
def resolver(
    endpoints: None,  # noqa: ARG001 - sets the environment
    dynamodb: FaultyDynamoDB,
    settings: Settings,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Handler:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint_url)
    return compose(settings._replace(subscriptions=True), models=models)


@pytest.fixture
def store(tables: Tables) -> DynamoDBStore:
    return DynamoDBStore(tables.client, table=tables.registrations, deadline=Deadline())


def record(
    store: DynamoDBStore,
    customer: MarketplaceCustomer,
    status: Any = "ACTIVE",
    entitlements: list[Any] | None = None,
    *,
    license_arn: str | None = None,
    at: str = AT,
    product_code: str = PRODUCT_CODE,
) -> None:
    event = LicenseEvent(
        at=at,
        account=customer.customer_aws_account_id,
        product_code=product_code,
        license_arn=license_arn or str(customer.license_arn),
        status=status,
    )
    assert store.write_license(event)
    if entitlements is not None:
        assert store.write_entitlements(event, entitlements)


def claimed(resolver: Handler, marketplace: MarketplaceStandIn, customer: MarketplaceCustomer) -> dict[str, Any]:
    """Register and claim, and return what the claim tells besides the registration."""
    location = resolver(form_event(marketplace.form(customer)), None)["headers"]["Location"]
    (code,) = parse_qs(urlsplit(location).query)["registration_code"]
    response = resolver(json_event("POST /claim", {"registration_code": code}), None)
    assert response["statusCode"] == 200
    registration: dict[str, Any] = json.loads(response["body"])
    assert registration.pop("CustomerAWSAccountId") == customer.customer_aws_account_id
    known = "ProductCode", "LicenseArn", "AgreementId", "CustomerIdentifier", "RegisteredAt", "LastRegisteredAt"
    return {name: value for name, value in registration.items() if name not in known}


def test_an_active_license_is_told_with_its_entitlements(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer, store: DynamoDBStore
) -> None:
    record(store, licensed, entitlements=USERS)

    assert claimed(resolver, marketplace, licensed) == {"LicenseStatus": "ACTIVE", "Entitlements": USERS}


def test_a_license_without_entitlements_yet_is_told_without_them(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer, store: DynamoDBStore
) -> None:
    record(store, licensed)

    assert claimed(resolver, marketplace, licensed) == {"LicenseStatus": "ACTIVE"}


def test_nothing_is_told_of_a_license_that_no_event_came_for(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    assert claimed(resolver, marketplace, licensed) == {}


def test_entitlements_of_another_shape_are_not_told(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    store: DynamoDBStore,
    tables: Tables,
) -> None:
    record(store, licensed)
    for shape in ({"S": "many"}, {"L": [{"S": "Users"}]}, {"L": [{"M": {"Value": {"SS": ["x"]}}}]}, {"SS": ["Users"]}):
        tables.client.update_item(
            TableName=tables.registrations,
            Key={
                "CustomerAWSAccountId": {"S": licensed.customer_aws_account_id},
                "ProductLicense": {"S": f"{PRODUCT_CODE}#{licensed.license_arn}"},
            },
            UpdateExpression="SET Entitlements = :shape",
            ExpressionAttributeValues={":shape": shape},
        )

        assert claimed(resolver, marketplace, licensed) == {"LicenseStatus": "ACTIVE"}


def test_a_license_whose_registration_was_deleted_cannot_be_claimed(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    store: DynamoDBStore,
    tables: Tables,
) -> None:
    location = resolver(form_event(marketplace.form(licensed)), None)["headers"]["Location"]
    (code,) = parse_qs(urlsplit(location).query)["registration_code"]
    key = {
        "CustomerAWSAccountId": {"S": licensed.customer_aws_account_id},
        "ProductLicense": {"S": f"{PRODUCT_CODE}#{licensed.license_arn}"},
    }
    tables.client.delete_item(TableName=tables.registrations, Key=key)
    record(store, licensed)

    assert resolver(json_event("POST /claim", {"registration_code": code}), None)["statusCode"] == 404


def test_a_legacy_registration_is_told_what_its_products_licenses_say(
    resolver: Handler, marketplace: MarketplaceStandIn, legacy: MarketplaceCustomer, store: DynamoDBStore
) -> None:
    assert claimed(resolver, marketplace, legacy) == {}
    record(store, legacy, license_arn="l-1", entitlements=USERS)
    record(store, legacy, license_arn="l-2", entitlements=SEATS)
    record(store, legacy, license_arn="l-3", product_code=f"{PRODUCT_CODE}2")
    assert claimed(resolver, marketplace, legacy) == {"LicenseStatus": "ACTIVE", "Entitlements": USERS + SEATS}

    record(store, legacy, "DEPROVISIONED", license_arn="l-1", at=LATER)
    assert claimed(resolver, marketplace, legacy) == {"LicenseStatus": "ACTIVE", "Entitlements": SEATS}

    record(store, legacy, "DEPROVISIONED", license_arn="l-2", at=LATER)
    assert claimed(resolver, marketplace, legacy) == {"LicenseStatus": "DEPROVISIONED"}


def test_only_a_legacy_claim_pays_for_the_query(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    legacy: MarketplaceCustomer,
    dynamodb: FaultyDynamoDB,
) -> None:
    claimed(resolver, marketplace, licensed)
    assert dynamodb.calls == Counter(PutItem=1, UpdateItem=2, GetItem=2)

    claimed(resolver, marketplace, legacy)
    assert dynamodb.calls == Counter(PutItem=2, UpdateItem=4, GetItem=4, Query=1)


def test_without_subscriptions_a_claim_tells_and_costs_what_it_did(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    settings: Settings,
    models: Path,
    licensed: MarketplaceCustomer,
    legacy: MarketplaceCustomer,
    store: DynamoDBStore,
    dynamodb: FaultyDynamoDB,
) -> None:
    del resolver  # for what it sets in the environment
    without = compose(settings, models=models)
    record(store, licensed, entitlements=USERS)
    record(store, legacy, license_arn="l-1", entitlements=USERS)

    assert claimed(without, marketplace, licensed) == claimed(without, marketplace, legacy) == {}

    assert dynamodb.calls == Counter(PutItem=2, UpdateItem=4, GetItem=4)
