"""A buyer's POST, from the event to the response, the table and the log line."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.emulated.api_events import BROWSER, JSON_CALLER, REQUEST_ID, form_event, http_event, json_event
from local.product import PRODUCT_CODE
from tests.functional.conftest import LANDING_PAGE

if TYPE_CHECKING:
    from constructs_lib.testing import MarketplaceStandIn
    from resolver.handler import Handler
    from tests.functional.conftest import Tables

FORM = "application/x-www-form-urlencoded"
TOKEN_FIELD = "x-amzn-marketplace-token"


def post(resolver: Handler, event: dict[str, Any]) -> dict[str, Any]:
    return resolver(event, None)


def log_line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = (record for record in caplog.records if record.name == "resolver")
    return vars(record)


def test_a_licensed_buyer_is_recorded_with_license_and_agreement(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "resolver")

    response = post(resolver, form_event(marketplace.form(licensed)))

    assert response["statusCode"] == 303
    assert response["headers"]["Location"].startswith(f"{LANDING_PAGE}&registration_code=")
    registration = tables.registration()
    assert registration.pop("RegisteredAt") == registration.pop("LastRegisteredAt")
    assert registration == {
        "CustomerAWSAccountId": licensed.customer_aws_account_id,
        "ProductLicense": f"{PRODUCT_CODE}#{licensed.license_arn}",
        "ProductCode": PRODUCT_CODE,
        "LicenseArn": licensed.license_arn,
        "AgreementId": licensed.agreement_id,
    }
    line = log_line(caplog)
    expected = {"outcome": "registered", "LicenseArn": licensed.license_arn, "api_request_id": REQUEST_ID}
    assert expected.items() <= line.items()
    assert {"resolve_customer_ms", "write_claim_ms", "write_registration_ms"} <= line.keys()


def test_a_legacy_buyer_is_recorded_under_the_product_alone(
    resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables, legacy: MarketplaceCustomer
) -> None:
    post(resolver, form_event(marketplace.form(legacy)))

    registration = tables.registration()
    assert registration["ProductLicense"] == f"{PRODUCT_CODE}#"
    assert registration["CustomerIdentifier"] == legacy.customer_identifier
    assert "LicenseArn" not in registration


def test_a_free_trial_is_recorded(
    resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables, licensed: MarketplaceCustomer
) -> None:
    post(resolver, form_event(marketplace.form(licensed, free_trial=True)))

    assert tables.registration()["OfferType"] == "free-trial"


def test_registering_again_keeps_the_first_time_and_attributes_that_others_wrote(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    form = form_event(marketplace.form(licensed))
    post(resolver, form)
    first = tables.registration()
    tables.client.update_item(
        TableName=tables.registrations,
        Key={name: {"S": first[name]} for name in ("CustomerAWSAccountId", "ProductLicense")},
        UpdateExpression="SET TenantId = :tenant",
        ExpressionAttributeValues={":tenant": {"S": "tenant-1"}},
    )
    caplog.set_level(logging.INFO, "resolver")

    post(resolver, form)

    again = tables.registration()
    assert again["RegisteredAt"] == first["RegisteredAt"] < again["LastRegisteredAt"]
    assert again["TenantId"] == "tenant-1"
    assert log_line(caplog)["outcome"] == "registered_again"


def test_an_item_that_an_event_created_first_becomes_a_registration(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tables.client.put_item(
        TableName=tables.registrations,
        Item={
            "CustomerAWSAccountId": {"S": licensed.customer_aws_account_id},
            "ProductLicense": {"S": f"{PRODUCT_CODE}#{licensed.license_arn}"},
            "LicenseState": {"S": "active"},
        },
    )
    caplog.set_level(logging.INFO, "resolver")

    post(resolver, form_event(marketplace.form(licensed)))

    assert tables.registration()["LicenseState"] == "active"
    assert log_line(caplog)["outcome"] == "registered"


def test_two_licenses_of_one_account_are_two_registrations(
    resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables, licensed: MarketplaceCustomer
) -> None:
    second = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=licensed.customer_aws_account_id)

    post(resolver, form_event(marketplace.form(licensed)))
    post(resolver, form_event(marketplace.form(second)))

    assert len(tables.items(tables.registrations)) == 2


def test_only_the_hash_of_the_code_is_stored(
    resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables, licensed: MarketplaceCustomer
) -> None:
    response = post(resolver, form_event(marketplace.form(licensed)))

    (code,) = parse_qs(urlsplit(response["headers"]["Location"]).query)["registration_code"]
    (claim,) = tables.items(tables.claims)
    assert code not in json.dumps(claim)
    assert set(claim) == {"CodeHash", "ExpiresAt", "CustomerAWSAccountId", "ProductLicense"}


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_form_is_decoded_exactly_once(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer, *, as_bytes: bool
) -> None:
    token = marketplace.mint(licensed)
    assert "+" in token
    event = form_event({TOKEN_FIELD: token})
    if not as_bytes:
        body = f"{TOKEN_FIELD}={token.replace('%', '%25').replace('+', '%2B').replace('=', '%3D')}"
        event = http_event("POST /register", headers={"content-type": f"{FORM}; charset=UTF-8"}, body=body)

    response = post(resolver, event)

    assert response["statusCode"] == 303
    assert [call.registration_token for call in marketplace.calls] == [token]


def test_a_json_caller_gets_the_landing_page_in_json(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    response = post(resolver, json_event("POST /register", {TOKEN_FIELD: marketplace.mint(licensed)}))

    assert response["statusCode"] == 200
    assert response["headers"]["Content-Type"] == "application/json"
    assert json.loads(response["body"])["landing_page"].startswith(f"{LANDING_PAGE}&registration_code=")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", FORM, 400),
        (b"x-amzn-marketplace-token=", FORM, 400),
        (b"x-amzn-marketplace-token=a&x-amzn-marketplace-token=b", FORM, 400),
        (b"x-amzn-marketplace-token=%FF", FORM, 400),
        (b"\xff\xfe", FORM, 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"x-amzn-marketplace-token": 1}', "application/json", 400),
        (b"[" * 8000, "application/json", 400),
        (b"x-amzn-marketplace-token=" + b"a" * 8168, FORM, 413),
        (b"x-amzn-marketplace-token=a", "text/plain", 415),
        (b"x-amzn-marketplace-token=a", "multipart/form-data; boundary=x", 415),
    ],
)
@pytest.mark.parametrize("headers", [BROWSER, JSON_CALLER])
def test_an_invalid_request_is_rejected_before_aws_is_called(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    content_type: str,
    status: int,
    headers: dict[str, str],
) -> None:
    event = http_event("POST /register", headers={**headers, "content-type": content_type}, body=body)

    response = post(resolver, event)

    assert response["statusCode"] == status
    assert marketplace.calls == ()
    assert log_line(caplog)["outcome"] == "bad_request"


def test_the_largest_body_is_read(resolver: Handler, marketplace: MarketplaceStandIn) -> None:
    body = b"x-amzn-marketplace-token=" + b"a" * (8192 - 25)

    post(resolver, http_event("POST /register", headers={"content-type": FORM}, body=body))

    assert len(marketplace.calls) == 1


def test_an_expired_token_sends_the_buyer_back_to_marketplace(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    form = marketplace.form(licensed)
    marketplace.clock.advance(timedelta(hours=5))

    response = post(resolver, form_event(form))

    assert response["statusCode"] == 410
    assert "Go back to AWS Marketplace" in response["body"]


def test_a_get_returns_200_for_the_review_of_the_listing(resolver: Handler) -> None:
    response = post(resolver, http_event("GET /register", headers=BROWSER))

    assert response["statusCode"] == 200
    assert 'href="mailto:support@example.com"' in response["body"]
    assert 'href="https://app.example.com/login?next=/&amp;a=b"' in response["body"]
