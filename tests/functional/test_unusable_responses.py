"""Whatever AWS sends, a request has an outcome: what cannot be used is retried, then its service is unavailable."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from local.emulated.api_events import form_event, json_event
from local.product import PRODUCT_CODE
from resolver.composition import compose
from sdk.errors import THROTTLING, TRANSIENT
from tests.functional.raw_service import Raw, RawService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resolver.handler import Handler
    from resolver.settings import Settings

REGISTERED_AT = {"RegisteredAt": {"S": "2026-11-23T12:00:00.000000+00:00"}}
CUSTOMER = {"CustomerAWSAccountId": "111122223333", "ProductCode": PRODUCT_CODE, "LicenseArn": "arn:aws:license"}
KEY = {"CustomerAWSAccountId": {"S": "111122223333"}, "ProductLicense": {"S": f"{PRODUCT_CODE}#arn:aws:license"}}
RECORD = {**KEY, "CodeHash": {"S": "hash"}, "ExpiresAt": {"N": "9999999999"}}
CREDENTIALS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
IN_2099, IN_2001 = "2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z"
CODE = "c" * 43


def of(content: object) -> Raw:
    return Raw(body=json.dumps(content).encode())


USUAL = {
    "ResolveCustomer": of(CUSTOMER),
    "PutItem": of({}),
    "UpdateItem": of({"Attributes": REGISTERED_AT}),
    "GetItem": of({"Item": {**KEY, **RECORD, **REGISTERED_AT}}),
    "AssumeRole": Raw(body=(CREDENTIALS % IN_2099).encode()),
}


@pytest.fixture
def service() -> Iterator[RawService]:
    with RawService(USUAL) as running:
        yield running


@pytest.fixture
def resolver(service: RawService, settings: Settings, models: Path, monkeypatch: pytest.MonkeyPatch) -> Handler:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.endpoint_url)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    return compose(settings._replace(seller_role_arn="arn:aws:iam::444455556666:role/r"), models=models)


def register(resolver: Handler) -> dict[str, Any]:
    return resolver(form_event({"x-amzn-marketplace-token": "token"}), None)


def claim(resolver: Handler) -> dict[str, Any]:
    return resolver(json_event("POST /claim", {"registration_code": CODE}), None)


def line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = (record for record in caplog.records if record.name == "resolver")
    return vars(record)


# As JSON of the wrong kind, in the wrong encoding, and in the wrong length. Each must do for every operation.
ANY_OPERATION = {
    "empty": Raw(body=b""),
    "null": Raw(body=b"null"),
    "list": Raw(body=b"[]"),
    "string": Raw(body=b'"text"'),
    "number": Raw(body=b"1"),
    "brackets": Raw(body=b"[" * 100_000),
    "html": Raw(body=b"<html>busy</html>"),
    "cut off": Raw(body=b'{"Item": {'),
    "not UTF-8": Raw(body=b'{"ProductCode": "\xff"}'),
    "compressed": Raw(body=gzip.compress(b"{}"), headers=(("Content-Encoding", "gzip"),)),
    "shorter than said": Raw(headers=(("Content-Length", "100"),)),
    "length of no number": Raw(headers=(("Content-Length", "two"),)),
    "two lengths": Raw(headers=(("Content-Length", "2"), ("Content-Length", "3"))),
}
OF_AN_OPERATION = {
    ("ResolveCustomer", "account of no text"): of({**CUSTOMER, "CustomerAWSAccountId": 111122223333}),
    ("ResolveCustomer", "product of no text"): of({**CUSTOMER, "ProductCode": ["a"]}),
    ("ResolveCustomer", "license of no text"): of({**CUSTOMER, "LicenseArn": {}}),
    ("ResolveCustomer", "metadata of no object"): of({**CUSTOMER, "Metadata": ["agmt-1"]}),
    ("ResolveCustomer", "agreement of no text"): of({**CUSTOMER, "Metadata": {"AgreementId": 1}}),
    ("UpdateItem", "no attributes"): of({}),
    ("UpdateItem", "attributes without ours"): of({"Attributes": {}}),
    ("UpdateItem", "attributes of no object"): of({"Attributes": "none"}),
    ("UpdateItem", "attribute of no object"): of({"Attributes": {"RegisteredAt": "now"}}),
    ("UpdateItem", "attribute of a wrong type"): of({"Attributes": {"RegisteredAt": {"S": 1}}}),
    ("GetItem", "item of null"): of({"Item": None}),
    ("GetItem", "item of no object"): of({"Item": []}),
    ("GetItem", "attribute of a list of nothing known"): of({"Item": {"More": {"L": [1]}}}),
    ("GetItem", "attribute of a map of nothing known"): of({"Item": {"More": {"M": {"a": 1}}}}),
    ("GetItem", "number as a number"): of({"Item": {"ExpiresAt": {"N": 1}}}),
    ("GetItem", "set of numbers"): of({"Item": {"More": {"SS": [1]}}}),
    ("AssumeRole", "no XML"): Raw(body=b"{}"),
    ("AssumeRole", "other XML"): Raw(body=b"<a/>"),
    ("AssumeRole", "not UTF-8"): Raw(body=b"<a>\xff</a>"),
    ("AssumeRole", "no time"): Raw(body=(CREDENTIALS % "soon").encode()),
    ("AssumeRole", "empty time"): Raw(body=(CREDENTIALS % "").encode()),
    ("AssumeRole", "two keys"): Raw(
        body=(CREDENTIALS % IN_2099)
        .replace("<SecretAccessKey>", "<AccessKeyId>A</AccessKeyId><SecretAccessKey>")
        .encode()
    ),
}
EVERY = [
    *(
        pytest.param(operation, raw, id=f"{operation}: {name}")
        for operation in ("ResolveCustomer", "PutItem", "UpdateItem", "GetItem")
        for name, raw in ANY_OPERATION.items()
    ),
    *(pytest.param(operation, raw, id=f"{operation}: {name}") for (operation, name), raw in OF_AN_OPERATION.items()),
]
# For the SDK an empty response to an UpdateItem is usable: it does not know that attributes were asked for.
RETRIED = [case for case in EVERY if case.values[1] not in (of({}), of({"Attributes": {}}))]
ATTEMPTS = {"ResolveCustomer": 3, "PutItem": 2, "UpdateItem": 2, "GetItem": 2, "AssumeRole": 2}
CALLS_BY_CLAIM = {"GetItem"}


@pytest.mark.parametrize(("operation", "raw"), EVERY)
def test_an_unusable_response_makes_its_service_unavailable(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, operation: str, raw: Raw
) -> None:
    service.always(operation, raw)

    response = (claim if operation in CALLS_BY_CLAIM else register)(resolver)

    assert response["statusCode"] == 503
    assert response["headers"]["Retry-After"] == "5"
    by = "marketplace_unavailable" if operation in {"ResolveCustomer", "AssumeRole"} else "store_unavailable"
    assert line(caplog)["outcome"] == by
    assert line(caplog)["reason"] in {"UnusableResponseError", "ConnectionClosedError", "HTTPClientError"}


@pytest.mark.parametrize(("operation", "raw"), RETRIED)
def test_an_unusable_response_is_retried(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, operation: str, raw: Raw
) -> None:
    service.queue(operation, raw, times=ATTEMPTS[operation] - 1)

    response = (claim if operation in CALLS_BY_CLAIM else register)(resolver)

    assert response["statusCode"] in {200, 303}, line(caplog)["reason"]
    assert service.calls.count(operation) >= ATTEMPTS[operation]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b"\xff", b'{"__type": 1}', b'{"__type": null}', b"<html>busy</html>"]
)
@pytest.mark.parametrize("operation", ["ResolveCustomer", "PutItem", "AssumeRole"])
@pytest.mark.parametrize(
    ("status", "outcomes"),
    [
        (500, {"marketplace_unavailable", "store_unavailable"}),
        (429, {"marketplace_throttled", "store_unavailable"}),
        (403, {"marketplace_refused", "store_unavailable"}),
        (300, {"marketplace_refused", "store_unavailable"}),
    ],
)
def test_an_error_without_a_code_is_told_by_its_status(
    resolver: Handler,
    service: RawService,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    status: int,
    outcomes: set[str],
    body: bytes,
) -> None:
    service.always(operation, Raw(status=status, body=body))

    register(resolver)

    assert line(caplog)["outcome"] in outcomes
    assert line(caplog)["reason"] == str(status)


def test_credentials_that_have_expired_are_unavailable(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture
) -> None:
    service.always("AssumeRole", Raw(body=(CREDENTIALS % IN_2001).encode()))

    assert register(resolver)["statusCode"] == 503
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("marketplace_unavailable", "CredentialRetrievalError")


def test_a_resolver_without_credentials_is_unavailable(
    service: RawService,
    settings: Settings,
    models: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.endpoint_url)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert register(compose(settings, models=models))["statusCode"] == 503
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("marketplace_unavailable", "NoCredentialsError")


# --- Error codes.


def error(code: str, status: int) -> Raw:
    return Raw(status=status, body=json.dumps({"__type": f"com.amazonaws#{code}", "message": "secret"}).encode())


def xml_error(code: str, status: int) -> Raw:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    return Raw(status=status, body=body.encode())


def test_our_lists_have_every_code_that_the_sdk_counts() -> None:
    # Class attributes that the SDK's stubs leave out.
    throttling: Any = ThrottledRetryableChecker
    transient: Any = TransientRetryableChecker

    assert set(throttling._THROTTLED_ERROR_CODES) <= THROTTLING
    assert set(transient._TRANSIENT_ERROR_CODES) <= THROTTLING | TRANSIENT


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("code", sorted(THROTTLING))
def test_throttling_by_any_name_is_throttling(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, code: str, status: int
) -> None:
    service.always("ResolveCustomer", error(code, status))

    response = register(resolver)

    assert (response["statusCode"], line(caplog)["outcome"]) == (503, "marketplace_throttled")
    assert response["headers"]["Retry-After"] == "5"


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_a_transient_error_code_is_unavailable(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    service.always("ResolveCustomer", error(code, 400))

    assert register(resolver)["statusCode"] == 503
    assert line(caplog)["outcome"] == "marketplace_unavailable"


@pytest.mark.parametrize(
    ("operation", "raw", "outcome"),
    [
        ("ResolveCustomer", error("ExpiredTokenException", 400), "token_expired"),
        ("ResolveCustomer", error("InvalidTokenException", 400), "token_invalid"),
        ("ResolveCustomer", error("ExpiredTokenException", 403), "marketplace_refused"),
        ("ResolveCustomer", error("InvalidTokenException", 403), "marketplace_refused"),
        ("ResolveCustomer", error("InvalidSignatureException", 403), "marketplace_refused"),
        ("AssumeRole", xml_error("ExpiredTokenException", 400), "marketplace_refused"),
        ("AssumeRole", xml_error("ExpiredTokenException", 403), "marketplace_refused"),
        ("AssumeRole", xml_error("InvalidTokenException", 400), "marketplace_refused"),
        ("AssumeRole", xml_error("AccessDenied", 403), "marketplace_refused"),
        ("AssumeRole", xml_error("Throttling", 400), "marketplace_throttled"),
    ],
)
def test_only_resolve_customer_speaks_of_the_buyers_token(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, operation: str, raw: Raw, outcome: str
) -> None:
    service.always(operation, raw)

    register(resolver)

    assert line(caplog)["outcome"] == outcome


# --- Items of other shapes.


@pytest.mark.parametrize("value", [{"N": "1"}, {"NULL": True}, {"L": []}, {"M": {"S": {"S": "x"}}}])
@pytest.mark.parametrize("name", ["RegisteredAt", "LastRegisteredAt", "OfferType", "AgreementId", "Seats"])
def test_an_attribute_of_another_type_shuts_no_buyer_out(
    resolver: Handler, service: RawService, name: str, value: dict[str, Any]
) -> None:
    service.always("UpdateItem", of({"Attributes": {**REGISTERED_AT, name: value}}))
    service.queue("GetItem", of({"Item": RECORD}))
    service.queue("GetItem", of({"Item": {**KEY, **REGISTERED_AT, name: value}}))

    assert register(resolver)["statusCode"] == 303
    claimed = claim(resolver)

    assert claimed["statusCode"] == 200
    assert name not in json.loads(claimed["body"])


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"CodeHash": {"S": "hash"}},
        {**RECORD, "ExpiresAt": {"S": "9999999999"}},
        {**RECORD, "ExpiresAt": {"N": "1E10"}},
        {**RECORD, "ProductLicense": {"N": "1"}},
        {name: value for name, value in RECORD.items() if name != "CustomerAWSAccountId"},
    ],
)
def test_a_claim_record_of_another_shape_is_unknown(
    resolver: Handler, service: RawService, caplog: pytest.LogCaptureFixture, record: dict[str, Any]
) -> None:
    service.always("GetItem", of({"Item": record}))

    assert claim(resolver)["statusCode"] == 404
    assert line(caplog)["outcome"] == "claim_refused"
