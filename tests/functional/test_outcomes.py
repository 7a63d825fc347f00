"""The table of cases in one place: from the wire to status, headers, body and log line, for browser and JSON caller."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.config import Config

from constructs_lib.testing import MarketplaceCustomer
from local.emulated.api_events import BROWSER, JSON_CALLER, REQUEST_ID, form_event, json_event
from local.product import PRODUCT_CODE
from resolver import composition
from resolver.log_line import OUTCOMES
from resolver.pages import CONTENT_SECURITY_POLICY, TEXTS
from sdk import time_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from constructs_lib.testing import MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings
    from tests.functional.conftest import Tables

Form = dict[str, str]


def expire(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.clock.advance(timedelta(hours=5))


def forge(_marketplace: MarketplaceStandIn, form: Form) -> None:
    form["x-amzn-marketplace-token"] = "forged"


def sell_another_product(marketplace: MarketplaceStandIn, form: Form) -> None:
    form.update(marketplace.form(MarketplaceCustomer.licensed("another-sellers")))


def throttle(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.throttle(times=3)


def fail(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.fail(times=3)


def hang_up(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.close_connection(times=3)


def deny(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.refuse()


def disable(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.refuse(code="DisabledApiException")


def forget_account(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.answer({"ProductCode": PRODUCT_CODE})


def forget_product(marketplace: MarketplaceStandIn, _form: Form) -> None:
    marketplace.answer({"CustomerAWSAccountId": "111122223333"})


CASES: list[tuple[Any, int, str]] = [
    (expire, 410, "token_expired"),
    (forge, 400, "token_invalid"),
    (sell_another_product, 403, "product_refused"),
    (throttle, 503, "marketplace_throttled"),
    (fail, 503, "marketplace_unavailable"),
    (hang_up, 503, "marketplace_unavailable"),
    (deny, 500, "marketplace_refused"),
    (disable, 500, "marketplace_refused"),
    (forget_account, 500, "marketplace_refused"),
    (forget_product, 500, "marketplace_refused"),
]


@pytest.mark.parametrize("caller", [BROWSER, JSON_CALLER], ids=["browser", "json"])
@pytest.mark.parametrize(("arrange", "status", "outcome"), CASES)
def test_a_failed_registration_gets_its_status_response_and_log_line(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
    arrange: Callable[[MarketplaceStandIn, Form], None],
    status: int,
    outcome: str,
    caller: dict[str, str],
) -> None:
    form = marketplace.form(licensed)
    arrange(marketplace, form)

    response = resolver(form_event(form, **caller), None)

    assert response["statusCode"] == status
    assert_private(response["headers"])
    assert ("Retry-After" in response["headers"]) == (status == 503)
    (text,) = {text for error, text in TEXTS.items() if error.outcome == outcome}
    if caller is JSON_CALLER:
        assert response["headers"]["Content-Type"] == "application/problem+json"
        problem = json.loads(response["body"])
        assert (problem["status"], problem["outcome"], problem["reference"]) == (status, outcome, REQUEST_ID)
    else:
        assert response["headers"]["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert f"<h1>{text.happened.replace(chr(39), '&#x27;')}</h1>" in response["body"]
    assert "arn:" not in response["body"]
    (record,) = (record for record in caplog.records if record.name == "resolver")
    assert (vars(record)["outcome"], vars(record)["status"]) == (outcome, status)
    assert record.levelno == (logging.ERROR if status >= 500 else logging.WARNING)
    assert not tables.items(tables.registrations)
    assert not tables.items(tables.claims)


def test_every_outcome_can_be_reached(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "resolver")
    form = form_event(marketplace.form(licensed))
    (code,) = parse_qs(urlsplit(resolver(form, None)["headers"]["Location"]).query)["registration_code"]
    resolver(form, None)
    for _ in range(2):
        resolver(json_event("POST /claim", {"registration_code": code}), None)
    for arrange, *_ in CASES:
        fields = marketplace.form(licensed)
        arrange(marketplace, fields)
        resolver(form_event(fields), None)
        marketplace.clear_faults()
    resolver(form_event({}), None)
    tables.client.delete_table(TableName=tables.claims)
    resolver(form_event(marketplace.form(licensed)), None)

    assert {vars(record)["outcome"] for record in caplog.records if record.name == "resolver"} == {*OUTCOMES}


def assert_private(headers: dict[str, str]) -> None:
    assert {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }.items() <= headers.items()
    assert "max-age=" in headers["Strict-Transport-Security"]


def test_a_redirect_is_private_too(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    response = resolver(form_event(marketplace.form(licensed)), None)

    assert_private(response["headers"])


def test_a_slow_marketplace_gets_a_response_before_the_function_times_out(
    endpoints: None,  # noqa: ARG001 - sets the environment
    settings: Settings,
    models: Path,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brief = Config(connect_timeout=1, read_timeout=0.1, retries={"mode": "standard", "total_max_attempts": 3})
    monkeypatch.setattr(time_limits, "MARKETPLACE", brief)
    resolver = composition.compose(settings, models=models)
    marketplace.slow_down(5, times=3)

    response = resolver(form_event(marketplace.form(licensed), **JSON_CALLER), None)

    assert response["statusCode"] == 503
    assert json.loads(response["body"])["outcome"] == "marketplace_unavailable"
    assert response["headers"]["Retry-After"] == "5"
    assert len(marketplace.calls) == 3


@pytest.mark.parametrize("fault", ["throttle", "fail", "close_connection"])
def test_a_passing_fault_goes_unnoticed_by_the_buyer(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer, fault: str
) -> None:
    getattr(marketplace, fault)(times=2)

    response = resolver(form_event(marketplace.form(licensed)), None)

    assert response["statusCode"] == 303
