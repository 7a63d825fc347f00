"""Neither the registration token nor the buyer's code is in any log, error, header but Location, or table."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.emulated.api_events import BROWSER, JSON_CALLER, form_event, http_event, json_event
from local.product import PRODUCT_CODE
from tests.functional.conftest import process_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from constructs_lib.testing import MarketplaceStandIn
    from tests.functional.conftest import Tables

TOKEN_FIELD = "x-amzn-marketplace-token"


class Asset:
    """The asset in a process of its own, and all its output."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def __call__(self, event: dict[str, Any]) -> dict[str, Any] | None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        response: dict[str, Any] | None = json.loads(self._process.stdout.readline())
        return response

    def printed(self) -> str:
        return self._log.read_text()


@contextmanager
def running(log: Path, environment: dict[str, str], *options: str) -> Iterator[Asset]:
    driver = Path(__file__).with_name("asset_driver.py")
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, driver, *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        yield Asset(process, log)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.fixture
def environment(asset: Path, tables: Tables, marketplace: MarketplaceStandIn, dynamodb_url: str) -> dict[str, str]:
    return process_environment(
        asset,
        AWS_ENDPOINT_URL_MARKETPLACE_METERING=marketplace.endpoint_url,
        AWS_ENDPOINT_URL_DYNAMODB=dynamodb_url,
        REGISTRATIONS_TABLE=tables.registrations,
        CLAIMS_TABLE=tables.claims,
    )


def drive(asset: Asset, marketplace: MarketplaceStandIn, tables: Tables) -> tuple[set[str], list[dict[str, Any]], str]:
    """Take every path, and return the secrets that were sent, the responses and the stored items."""
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    secrets: set[str] = set()
    responses: list[dict[str, Any]] = []

    def register(token: str, caller: dict[str, str]) -> str | None:
        secrets.add(token)
        response = asset(form_event({TOKEN_FIELD: token}, **caller))
        assert response
        location = response["headers"].pop("Location", None)
        if response["statusCode"] == 200:
            location = json.loads(response["body"]).pop("landing_page")
            response["body"] = ""
        responses.append(response)
        if location is None:
            return None
        code: str = parse_qs(urlsplit(location).query)["registration_code"][0]
        secrets.add(code)
        return code

    def claim(code: str | None) -> None:
        response = asset(json_event("POST /claim", {"registration_code": code}, **{"idempotency-key": "key"}))
        assert response
        responses.append(response)

    for caller in (BROWSER, JSON_CALLER):
        claim(register(marketplace.mint(customer), caller))
        register(marketplace.mint(MarketplaceCustomer.legacy(PRODUCT_CODE)), caller)
        register(marketplace.mint(MarketplaceCustomer.licensed("another-sellers")), caller)
        register("forged-token-that-marketplace-does-not-know", caller)
        faults: list[Callable[[], None]] = [
            lambda: marketplace.throttle(times=3),
            lambda: marketplace.fail(times=3),
            lambda: marketplace.close_connection(times=3),
            marketplace.refuse,
            lambda: marketplace.refuse(code="DisabledApiException"),
            lambda: marketplace.answer({}),
            lambda: marketplace.throttle(times=1),
        ]
        for inject in faults:
            inject()
            register(marketplace.mint(customer), caller)
            marketplace.clear_faults()
    for body, content_type in (("{", "application/json"), ("x", "text/plain"), ("x" * 9000, "application/json")):
        token = marketplace.mint(customer)
        secrets.add(token)
        event = http_event("POST /register", headers={"content-type": content_type}, body=body + token)
        responses.append(asset(event) or {})
    # A missing table, and an unforeseen event.
    code = register(marketplace.mint(customer), BROWSER)
    stored = json.dumps([tables.items(tables.claims), tables.items(tables.registrations)])
    tables.client.delete_table(TableName=tables.claims)
    claim(code)
    register(marketplace.mint(customer), BROWSER)
    token = marketplace.mint(customer)
    secrets.add(token)
    assert asset({**form_event({TOKEN_FIELD: token}), "requestContext": {}}) is None
    return secrets, responses, stored


def spellings(secret: str) -> set[str]:
    return {secret, quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def test_no_secret_is_printed_returned_or_stored_with_every_log_turned_on(
    environment: dict[str, str], marketplace: MarketplaceStandIn, tables: Tables, tmp_path: Path
) -> None:
    with running(tmp_path / "log", environment) as resolver:
        secrets, responses, stored = drive(resolver, marketplace, tables)
    printed = resolver.printed()

    assert len(secrets) > 20
    assert {response["statusCode"] for response in responses} == {200, 303, 400, 403, 413, 415, 500, 503}
    assert "CodeHash" in stored
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in printed
            assert spelling not in stored
            assert spelling not in json.dumps(responses)
    assert "Traceback" in printed
    assert "'outcome': 'registered'" in printed


def test_botocore_would_print_the_token_if_debug_logging_were_possible(
    environment: dict[str, str], marketplace: MarketplaceStandIn, tmp_path: Path
) -> None:
    token = marketplace.mint(MarketplaceCustomer.licensed(PRODUCT_CODE))

    with running(tmp_path / "log", environment, "--let-debug-through") as resolver:
        resolver(form_event({TOKEN_FIELD: token}))

    assert token in resolver.printed()
