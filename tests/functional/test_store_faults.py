"""Responses to buyers and the product's backend while DynamoDB fails, call by call and fault by fault."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.config import Config

from local.emulated.api_events import BROWSER, JSON_CALLER, REQUEST_ID, form_event, json_event
from local.emulated.faulty_dynamodb import Fault, FaultyDynamoDB
from resolver import composition
from resolver.errors import StoreUnavailableError
from resolver.handler import RETRY_AFTER_SECONDS
from resolver.pages import CONTENT_SECURITY_POLICY, TEXTS
from sdk import time_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings
    from tests.functional.conftest import Tables

    Response = dict[str, Any]


class Case(NamedTuple):
    fault: Fault
    reason: tuple[str, ...]
    tries: int


TRIES = 2
PASSING = [
    Case(Fault.THROUGHPUT_EXCEEDED, ("ProvisionedThroughputExceededException",), TRIES),
    Case(Fault.THROTTLED, ("ThrottlingException",), TRIES),
    Case(Fault.SERVER_ERROR, ("InternalServerError",), TRIES),
    Case(Fault.CLOSED, ("ConnectionClosedError",), TRIES),
    Case(Fault.ANSWER_LOST, ("ConnectionClosedError",), TRIES),
    Case(Fault.SLOW, ("ReadTimeoutError",), TRIES),
    # urllib3 notices by itself, but for the older one.
    Case(Fault.ANSWER_CUT_OFF, ("UnusableResponseError", "ConnectionClosedError"), TRIES),
]
FINAL = [
    Case(Fault.ACCESS_DENIED, ("AccessDeniedException",), 1),
    Case(Fault.TABLE_MISSING, ("ResourceNotFoundException",), 1),
]
DONE_ANYWAY = {Fault.ANSWER_LOST, Fault.ANSWER_CUT_OFF, Fault.SLOW}
CLAIM_CALLS = [("GetItem", "claims"), ("GetItem", "registrations"), ("UpdateItem", "claims")]

each_case = pytest.mark.parametrize("case", PASSING + FINAL, ids=lambda case: case.fault.name.lower())
each_claim_call = pytest.mark.parametrize(("operation", "table"), CLAIM_CALLS)


@pytest.fixture
def dynamodb(dynamodb_url: str) -> Iterator[FaultyDynamoDB]:
    with FaultyDynamoDB(dynamodb_url) as proxy:
        yield proxy


@pytest.fixture
def new_resolver(
    endpoints: None,  # noqa: ARG001 - sets the environment
    settings: Settings,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Handler]:
    def new_resolver(dynamodb_url: str) -> Handler:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
        return composition.compose(settings, models=models)

    return new_resolver


@pytest.fixture
def faulty(
    new_resolver: Callable[[str], Handler],
    dynamodb: FaultyDynamoDB,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Handler:
    """Return the handler with the proxy as its DynamoDB; it waits less if the proxy will be slow."""
    if "case" in request.fixturenames and request.getfixturevalue("case").fault is Fault.SLOW:
        monkeypatch.setattr(time_limits, "DYNAMODB", time_limits.DYNAMODB.merge(Config(read_timeout=0.3)))
    return new_resolver(dynamodb.endpoint_url)


@pytest.fixture
def code(faulty: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer) -> str:
    return code_of(faulty(form_event(marketplace.form(licensed)), None))


def code_of(response: Response) -> str:
    code: str
    (code,) = parse_qs(urlsplit(response["headers"]["Location"]).query)["registration_code"]
    return code


def claim(resolver: Handler, code: str, key: str | None = None) -> Response:
    headers = {"idempotency-key": key} if key else {}
    return resolver(json_event("POST /claim", {"registration_code": code}, **headers), None)


def assert_store_unavailable(
    response: Response, caplog: pytest.LogCaptureFixture, reason: tuple[str, ...], *, as_json: bool = True
) -> None:
    assert response["statusCode"] == 503
    assert {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Retry-After": str(RETRY_AFTER_SECONDS),
    }.items() <= response["headers"].items()
    assert "Location" not in response["headers"]
    text = TEXTS[StoreUnavailableError]
    if as_json:
        assert response["headers"]["Content-Type"] == "application/problem+json"
        problem = json.loads(response["body"])
        assert (problem["status"], problem["outcome"]) == (503, "store_unavailable")
        assert (problem["detail"], problem["reference"]) == (f"{text.happened} {text.to_do}", REQUEST_ID)
    else:
        assert response["headers"]["Content-Type"] == "text/html; charset=utf-8"
        assert response["headers"]["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert f"<h1>{text.happened}</h1>" in response["body"]
        assert REQUEST_ID in response["body"]
    # The reason is for the operator alone.
    assert not any(name in response["body"] for name in reason)
    (record,) = (record for record in caplog.records if record.name == "resolver")
    assert vars(record)["reason"] in reason
    expected = {"outcome": "store_unavailable", "status": 503, "api_request_id": REQUEST_ID}
    assert expected.items() <= vars(record).items()
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("caller", [BROWSER, JSON_CALLER], ids=["browser", "json"])
@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
@each_case
def test_a_registration_that_cannot_be_stored_is_503_and_the_same_form_succeeds_later(
    faulty: Handler,
    dynamodb: FaultyDynamoDB,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
    case: Case,
    operation: str,
    caller: dict[str, str],
) -> None:
    event = form_event(marketplace.form(licensed), **caller)
    dynamodb.inject(case.fault, times=99, operation=operation)

    response = faulty(event, None)

    assert_store_unavailable(response, caplog, case.reason, as_json=caller is JSON_CALLER)
    assert dynamodb.injected == {case.fault: case.tries}
    # Even if a record was written, its code was given to no one.
    assert len(tables.items(tables.registrations)) == (operation == "UpdateItem" and case.fault in DONE_ANYWAY)
    assert ("UpdateItem" in dynamodb.calls) == (operation == "UpdateItem")

    dynamodb.clear_faults()
    code = code_of(faulty({**event, "headers": {**event["headers"], **BROWSER}}, None))

    assert tables.registration()["LicenseArn"] == licensed.license_arn
    assert claim(faulty, code)["statusCode"] == 200


@each_claim_call
@each_case
def test_a_claim_that_meets_a_fault_is_503_and_its_retry_with_the_same_key_succeeds(
    faulty: Handler,
    dynamodb: FaultyDynamoDB,
    tables: Tables,
    licensed: MarketplaceCustomer,
    code: str,
    caplog: pytest.LogCaptureFixture,
    case: Case,
    operation: str,
    table: str,
) -> None:
    dynamodb.inject(case.fault, times=99, operation=operation, table=getattr(tables, table))

    response = claim(faulty, code, key="signup-1")

    assert_store_unavailable(response, caplog, case.reason)
    assert dynamodb.injected == {case.fault: case.tries}

    dynamodb.clear_faults()
    retried = claim(faulty, code, key="signup-1")

    assert retried["statusCode"] == 200
    assert json.loads(retried["body"])["LicenseArn"] == licensed.license_arn
    assert claim(faulty, code, key="signup-2")["statusCode"] == 404


@pytest.mark.parametrize(
    ("case", "operation", "table"),
    [
        (case, *call)
        for case in PASSING + FINAL
        for call in CLAIM_CALLS
        if not (call[0] == "UpdateItem" and case.fault in DONE_ANYWAY)
    ],
    ids=lambda value: value.fault.name.lower() if isinstance(value, Case) else None,
)
def test_a_claim_that_failed_before_its_write_can_be_retried_without_a_key(
    faulty: Handler, dynamodb: FaultyDynamoDB, tables: Tables, code: str, case: Case, operation: str, table: str
) -> None:
    dynamodb.inject(case.fault, times=99, operation=operation, table=getattr(tables, table))
    assert claim(faulty, code)["statusCode"] == 503
    dynamodb.clear_faults()

    retried = claim(faulty, code)

    assert retried["statusCode"] == 200
    assert claim(faulty, code)["statusCode"] == 404


def test_the_sdk_retries_a_claim_whose_response_was_lost_as_the_same_claimant(
    faulty: Handler, dynamodb: FaultyDynamoDB, tables: Tables, licensed: MarketplaceCustomer, code: str
) -> None:
    dynamodb.calls.clear()
    dynamodb.inject(Fault.ANSWER_LOST, operation="UpdateItem", table=tables.claims)

    response = claim(faulty, code)

    assert response["statusCode"] == 200
    assert json.loads(response["body"])["LicenseArn"] == licensed.license_arn
    assert dynamodb.calls == {"GetItem": 2, "UpdateItem": 2}
    assert claim(faulty, code)["statusCode"] == 404


def test_after_a_lost_response_only_the_same_key_gets_the_registration(
    faulty: Handler, dynamodb: FaultyDynamoDB, code: str
) -> None:
    dynamodb.inject(Fault.ANSWER_LOST, times=TRIES, operation="UpdateItem")

    statuses = [claim(faulty, code, key)["statusCode"] for key in ("signup-1", "signup-2", "signup-1", "signup-1")]

    assert statuses == [503, 404, 200, 200]


def test_after_a_lost_response_a_claim_without_a_key_is_used_up(
    faulty: Handler, dynamodb: FaultyDynamoDB, code: str
) -> None:
    dynamodb.inject(Fault.ANSWER_LOST, times=TRIES, operation="UpdateItem")

    statuses = [claim(faulty, code)["statusCode"] for _ in range(3)]

    assert statuses == [503, 404, 404]


def test_a_registration_whose_response_was_lost_is_still_the_first_one(
    faulty: Handler,
    dynamodb: FaultyDynamoDB,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "resolver")
    dynamodb.inject(Fault.ANSWER_LOST, operation="UpdateItem")

    response = faulty(form_event(marketplace.form(licensed)), None)

    assert response["statusCode"] == 303
    (record,) = (record for record in caplog.records if record.name == "resolver")
    assert vars(record)["outcome"] == "registered"
    assert dynamodb.calls == {"PutItem": 1, "UpdateItem": 2}
    registration = tables.registration()
    assert registration["RegisteredAt"] == registration["LastRegisteredAt"]


def test_a_claim_record_whose_response_was_lost_is_written_once(
    faulty: Handler,
    dynamodb: FaultyDynamoDB,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
) -> None:
    dynamodb.inject(Fault.ANSWER_LOST, operation="PutItem")

    code = code_of(faulty(form_event(marketplace.form(licensed)), None))

    assert dynamodb.calls == {"PutItem": 2, "UpdateItem": 1}
    assert len(tables.items(tables.claims)) == 1
    assert [claim(faulty, code)["statusCode"] for _ in range(2)] == [200, 404]


@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.fault.name.lower())
def test_one_fault_at_every_call_goes_unnoticed(
    faulty: Handler,
    dynamodb: FaultyDynamoDB,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    case: Case,
) -> None:
    dynamodb.inject(case.fault, operation="PutItem", table=tables.claims)
    dynamodb.inject(case.fault, operation="UpdateItem", table=tables.registrations)
    for operation, table in CLAIM_CALLS:
        dynamodb.inject(case.fault, operation=operation, table=getattr(tables, table))

    response = faulty(form_event(marketplace.form(licensed)), None)

    assert response["statusCode"] == 303
    assert claim(faulty, code_of(response))["statusCode"] == 200
    assert dynamodb.injected == {case.fault: 5}


def test_an_unreachable_dynamodb_is_503_for_buyer_and_backend(
    new_resolver: Callable[[str], Handler],
    dynamodb_url: str,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FaultyDynamoDB(dynamodb_url) as gone:
        resolver = new_resolver(gone.endpoint_url)

    registered = resolver(form_event(marketplace.form(licensed)), None)

    assert_store_unavailable(registered, caplog, ("EndpointConnectionError",), as_json=False)
    caplog.clear()
    assert_store_unavailable(claim(resolver, "x" * 43), caplog, ("EndpointConnectionError",))
