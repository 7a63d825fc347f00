"""The seller's backend claims a registration by the buyer's code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.emulated.api_events import form_event, http_event, json_event

if TYPE_CHECKING:
    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
    from resolver.handler import Handler
    from tests.functional.conftest import Tables


@pytest.fixture
def code(resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer) -> str:
    response = resolver(form_event(marketplace.form(licensed, free_trial=True)), None)
    code: str = parse_qs(urlsplit(response["headers"]["Location"]).query)["registration_code"][0]
    return code


def claim(resolver: Handler, code: object, **headers: str) -> dict[str, Any]:
    return resolver(json_event("POST /claim", {"registration_code": code}, **headers), None)


def test_a_code_gets_the_registration_once(
    resolver: Handler, code: str, licensed: MarketplaceCustomer, tables: Tables
) -> None:
    response = claim(resolver, code)

    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "no-store"
    registration = tables.registration()
    del registration["ProductLicense"]
    assert json.loads(response["body"]) == registration
    assert registration["LicenseArn"] == licensed.license_arn
    assert registration["OfferType"] == "free-trial"
    assert claim(resolver, code)["statusCode"] == 404


def test_attributes_that_others_wrote_are_not_in_the_response(resolver: Handler, code: str, tables: Tables) -> None:
    registration = tables.registration()
    tables.client.update_item(
        TableName=tables.registrations,
        Key={name: {"S": registration[name]} for name in ("CustomerAWSAccountId", "ProductLicense")},
        UpdateExpression="SET Secret = :secret, Seats = :seats",
        ExpressionAttributeValues={":secret": {"S": "x"}, ":seats": {"N": "5"}},
    )

    registration = json.loads(claim(resolver, code)["body"])

    assert registration.keys().isdisjoint({"Secret", "Seats"})


def test_a_claim_retried_with_its_idempotency_key_gets_the_same_response(resolver: Handler, code: str) -> None:
    first = claim(resolver, code, **{"idempotency-key": "signup-1"})

    assert claim(resolver, code, **{"idempotency-key": "signup-1"}) == first
    assert claim(resolver, code, **{"idempotency-key": "signup-2"})["statusCode"] == 404


def test_unknown_used_and_expired_codes_get_the_same_response(resolver: Handler, code: str, tables: Tables) -> None:
    claim(resolver, code)
    used = claim(resolver, code)
    (stored,) = tables.client.scan(TableName=tables.claims)["Items"]
    del stored["Taker"]
    tables.client.put_item(TableName=tables.claims, Item={**stored, "ExpiresAt": {"N": "1"}})

    expired = claim(resolver, code)

    assert used == expired == claim(resolver, "x" * 43) == claim(resolver, "malformed")
    assert used["statusCode"] == 404


@pytest.mark.parametrize("body", ["{}", '{"registration_code": ""}'])
def test_a_claim_without_a_code_is_rejected(resolver: Handler, body: str) -> None:
    event = http_event("POST /claim", headers={"content-type": "application/json"}, body=body)

    assert resolver(event, None)["statusCode"] == 404


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [("{", "application/json", 400), ('{"registration_code": 1}', "application/json", 400), ("x", "text/plain", 415)],
)
def test_an_unreadable_claim_gets_a_problem_in_json(
    resolver: Handler, body: str, content_type: str, status: int
) -> None:
    event = http_event("POST /claim", headers={"content-type": content_type, "accept": "text/html"}, body=body)

    response = resolver(event, None)

    assert response["statusCode"] == status
    assert response["headers"]["Content-Type"] == "application/problem+json"
