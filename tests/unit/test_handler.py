"""The whole response to each request, and its whole log line."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.emulated.api_events import BROWSER, JSON_CALLER, REQUEST_ID, form_event, http_event, json_event
from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver.errors import ClaimRejectedError, ProductRejectedError, RegistrationError
from resolver.handler import STATUSES, Handler
from resolver.http_event import OFFER_TYPE_FIELD, TOKEN_FIELD
from resolver.log_line import BUYER_FIELDS, FIELDS
from resolver.pages import CONTENT_SECURITY_POLICY, TEXTS, WELCOME, Pages
from resolver.registration import Customer, Registrar
from tests.fakes import ACCOUNT, FakeMarketplace, FakeStore

CUSTOMER: Customer = {
    "CustomerAWSAccountId": ACCOUNT,
    "ProductCode": PRODUCT_CODE,
    "LicenseArn": "arn:aws:license-manager::444455556666:license:l-1",
    "AgreementId": "agmt-1",
    "CustomerIdentifier": "ifAPi5AcF3",
}
PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}
PAGE = {**PRIVATE, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": CONTENT_SECURITY_POLICY}
JSON = {**PRIVATE, "Content-Type": "application/json"}
PROBLEM = {**PRIVATE, "Content-Type": "application/problem+json"}
# All errors of a registration; the fake Marketplace can raise each.
ERRORS = [error for error in STATUSES if error is not ClaimRejectedError]

NO_EXTRA = vars(logging.makeLogRecord({})).keys() | {"message"}


class Log:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "resolver")
        self._caplog = caplog

    @property
    def record(self) -> logging.LogRecord:
        (record,) = self._caplog.records
        return record

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self.record).items() if name not in NO_EXTRA}

    def without_times(self) -> dict[str, Any]:
        return {name: value for name, value in self.fields().items() if not name.endswith("_ms")}

    def times(self) -> set[str]:
        return {name for name in self.fields() if name.endswith("_ms")}

    def clear(self) -> None:
        self._caplog.clear()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


@pytest.fixture
def pages() -> Pages:
    return Pages(support_url="mailto:support@example.com", login_url=None)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def handler(store: FakeStore, pages: Pages) -> Handler:
    marketplace = FakeMarketplace(
        {
            "good": CUSTOMER,
            "stranger": {"CustomerAWSAccountId": ACCOUNT, "ProductCode": "unknown"},
            **{error.__name__: error("Reason") for error in ERRORS},
        }
    )
    registrar = Registrar(
        marketplace=marketplace, store=store, products={PRODUCT_CODE: LANDING_PAGE}, claim_ttl=timedelta(minutes=10)
    )
    return Handler(registrar=registrar, pages=pages)


@pytest.fixture
def code(handler: Handler, log: Log) -> str:
    form = {TOKEN_FIELD: "good", OFFER_TYPE_FIELD: "free-trial"}
    location: str = handler(form_event(form), None)["headers"]["Location"]
    log.clear()
    (code,) = parse_qs(urlsplit(location).query)["registration_code"]
    return code


def register(handler: Handler, token: str, caller: dict[str, str] = BROWSER) -> dict[str, Any]:
    return handler(form_event({TOKEN_FIELD: token}, **caller), None)


def claim(handler: Handler, code: str, **headers: str) -> dict[str, Any]:
    return handler(json_event("POST /claim", {"registration_code": code}, **headers), None)


def retry_after(error: type[RegistrationError]) -> dict[str, str]:
    return {"Retry-After": "5"} if STATUSES[error] == 503 else {}


def test_a_get_shows_the_page_for_the_review_of_the_listing_and_logs_nothing(
    handler: Handler, pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    response = handler(http_event("GET /register", headers=BROWSER), None)

    assert response == {"statusCode": 200, "headers": PAGE, "body": pages.page(WELCOME)}
    assert not caplog.records


def test_a_browser_is_redirected_to_the_landing_page(handler: Handler) -> None:
    response = register(handler, "good")

    location = response["headers"].pop("Location")
    assert location.startswith(f"{LANDING_PAGE}?registration_code=")
    assert response == {"statusCode": 303, "headers": PRIVATE, "body": ""}


def test_a_json_caller_gets_the_landing_page_in_json(handler: Handler) -> None:
    response = register(handler, "good", JSON_CALLER)

    content = json.loads(response.pop("body"))
    assert content.pop("landing_page").startswith(f"{LANDING_PAGE}?registration_code=")
    assert content == {}
    assert response == {"statusCode": 200, "headers": JSON}


@pytest.mark.parametrize("error", ERRORS)
def test_a_browser_gets_the_page_of_the_error(handler: Handler, pages: Pages, error: type[RegistrationError]) -> None:
    response = register(handler, error.__name__)

    assert response == {
        "statusCode": STATUSES[error],
        "headers": PAGE | retry_after(error),
        "body": pages.page(TEXTS[error], reference=REQUEST_ID),
    }


@pytest.mark.parametrize("error", ERRORS)
def test_a_json_caller_gets_the_error_as_a_problem(handler: Handler, error: type[RegistrationError]) -> None:
    response = register(handler, error.__name__, JSON_CALLER)

    assert json.loads(response.pop("body")) == {
        "type": "about:blank",
        "title": STATUSES[error].phrase,
        "status": STATUSES[error],
        "detail": " ".join(TEXTS[error]),
        "outcome": error.outcome,
        "reference": REQUEST_ID,
    }
    assert response == {"statusCode": STATUSES[error], "headers": PROBLEM | retry_after(error)}


def test_a_claim_gets_the_registration(handler: Handler, store: FakeStore, code: str) -> None:
    response = claim(handler, code)

    (registration,) = store.registrations.values()
    assert registration["OfferType"] == "free-trial"
    assert json.loads(response.pop("body")) == registration
    assert response == {"statusCode": 200, "headers": JSON}


def test_a_rejected_claim_is_a_problem_in_json_even_for_a_browser(handler: Handler) -> None:
    response = claim(handler, "unknown", **BROWSER)

    assert (response["statusCode"], response["headers"]) == (404, PROBLEM)
    assert json.loads(response["body"])["outcome"] == "claim_refused"


def test_a_claim_without_a_code_is_rejected(handler: Handler) -> None:
    assert handler(json_event("POST /claim", {}), None)["statusCode"] == 404


def test_the_idempotency_key_is_the_claimant(handler: Handler, code: str) -> None:
    statuses = [claim(handler, code, **{"idempotency-key": key})["statusCode"] for key in ("one", "other", "one")]

    assert statuses == [200, 404, 200]


@pytest.mark.parametrize("caller", [BROWSER, JSON_CALLER], ids=["browser", "json"])
def test_a_registration_is_logged_with_its_buyer_and_the_time_of_each_call(
    handler: Handler, log: Log, caller: dict[str, str]
) -> None:
    status = register(handler, "good", caller)["statusCode"]

    assert (log.record.getMessage(), log.record.levelno) == ("POST /register", logging.INFO)
    assert log.without_times() == {
        "outcome": "registered",
        "status": status,
        "api_request_id": REQUEST_ID,
        **CUSTOMER,
    }
    assert log.times() == {"resolve_customer_ms", "write_claim_ms", "write_registration_ms"}


def test_a_claim_is_logged_with_its_registration_and_the_time_of_each_call(
    handler: Handler, log: Log, store: FakeStore, code: str
) -> None:
    claim(handler, code)

    (registration,) = store.registrations.values()
    assert (log.record.getMessage(), log.record.levelno) == ("POST /claim", logging.INFO)
    assert log.without_times() == {
        "outcome": "claimed",
        "status": 200,
        "api_request_id": REQUEST_ID,
        **registration,
    }
    assert log.times() == {"read_claim_ms", "take_claim_ms"}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_logged_with_its_reason_and_by_its_status(
    handler: Handler, log: Log, error: type[RegistrationError]
) -> None:
    register(handler, error.__name__)

    assert log.record.levelno == (logging.ERROR if STATUSES[error] >= 500 else logging.WARNING)
    assert log.without_times() == {
        "outcome": error.outcome,
        "reason": "Reason",
        "status": STATUSES[error],
        "api_request_id": REQUEST_ID,
    }
    assert log.times() == {"resolve_customer_ms"}


def test_an_error_without_a_reason_is_logged_without_one(handler: Handler, log: Log) -> None:
    register(handler, "stranger")

    assert log.without_times() == {
        "outcome": ProductRejectedError.outcome,
        "status": 403,
        "api_request_id": REQUEST_ID,
        "CustomerAWSAccountId": ACCOUNT,
        "ProductCode": "unknown",
    }


def test_a_claim_of_a_used_code_is_logged_with_its_buyer(handler: Handler, log: Log, code: str) -> None:
    claim(handler, code)
    log.clear()

    claim(handler, code)

    assert log.record.levelno == logging.WARNING
    assert CUSTOMER.items() <= log.fields().items()
    assert log.fields()["outcome"] == "claim_refused"


def test_all_that_is_logged_is_a_public_field_and_every_public_field_is_logged(
    handler: Handler, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    claim(handler, code)
    claim(handler, code)
    register(handler, "good")
    register(handler, ERRORS[0].__name__)

    logged: set[str] = set().union(*(vars(record) for record in caplog.records)) - NO_EXTRA
    assert logged == {*FIELDS}
    assert {*BUYER_FIELDS} < logged


def test_an_unknown_route_is_left_to_the_runtime(handler: Handler) -> None:
    with pytest.raises(KeyError):
        handler(http_event("PUT /register"), None)
