"""A request ends within the function's time, with an outcome, however long a service takes."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING

import pytest

from local.emulated.api_events import JSON_CALLER, form_event, json_event
from resolver.composition import compose
from sdk.deadline import Deadline, DeadlineExceededError
from tests.functional.conftest import process_environment
from tests.functional.raw_service import Raw, RawService
from tests.functional.test_secrets import running
from tests.functional.test_unusable_responses import CODE, USUAL, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resolver.handler import Handler
    from resolver.settings import Settings

SECONDS = 0.6
DRIPPING = 0.05


@pytest.fixture
def service() -> Iterator[RawService]:
    with RawService(USUAL) as running:
        yield running


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def resolver(
    service: RawService, settings: Settings, models: Path, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> Handler:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.endpoint_url)
    role = settings._replace(seller_role_arn="arn:aws:iam::444455556666:role/r")
    return compose(role, models=models, deadline=deadline)


@pytest.fixture
def environment(asset: Path, service: RawService) -> dict[str, str]:
    return process_environment(
        asset,
        AWS_ENDPOINT_URL=service.endpoint_url,
        REGISTRATIONS_TABLE="registrations",
        CLAIMS_TABLE="claims",
        SELLER_ROLE_ARN="arn:aws:iam::444455556666:role/r",
    )


def dripping(raw: Raw) -> Raw:
    return dataclasses.replace(raw, pause=DRIPPING, body=raw.body.ljust(200))


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        ("AssumeRole", "marketplace_unavailable"),
        ("ResolveCustomer", "marketplace_unavailable"),
        ("PutItem", "store_unavailable"),
        ("UpdateItem", "store_unavailable"),
    ],
)
def test_a_registration_ends_at_the_deadline_although_a_service_drips(
    resolver: Handler,
    service: RawService,
    deadline: Deadline,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    outcome: str,
) -> None:
    service.always(operation, dripping(USUAL[operation]))
    start = time.monotonic()
    deadline.set(SECONDS)

    response = resolver(form_event({"x-amzn-marketplace-token": "token"}, **JSON_CALLER), None)

    assert time.monotonic() - start < 2 * SECONDS
    assert (response["statusCode"], json.loads(response["body"])["outcome"]) == (503, outcome)
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == (outcome, "DeadlineExceededError")


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_a_claim_ends_at_the_deadline_although_dynamodb_drips(
    resolver: Handler, service: RawService, deadline: Deadline, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    service.always(operation, dripping(USUAL[operation]))
    start = time.monotonic()
    deadline.set(SECONDS)

    response = resolver(json_event("POST /claim", {"registration_code": CODE}), None)

    assert time.monotonic() - start < 2 * SECONDS
    assert response["statusCode"] == 503
    assert line(caplog)["reason"] == "DeadlineExceededError"


def test_a_wait_before_a_retry_ends_at_the_deadline(
    resolver: Handler,
    service: RawService,
    deadline: Deadline,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 30)
    service.always("ResolveCustomer", Raw(status=500, headers=(("x-amz-retry-after", "5000"),)))
    start = time.monotonic()
    deadline.set(SECONDS)

    resolver(form_event({"x-amzn-marketplace-token": "token"}), None)

    assert time.monotonic() - start < 2 * SECONDS
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("marketplace_unavailable", "DeadlineExceededError")


def test_no_call_is_made_after_the_deadline(
    resolver: Handler, service: RawService, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    deadline.set(0)

    resolver(form_event({"x-amzn-marketplace-token": "token"}), None)

    assert service.calls == []
    assert line(caplog)["reason"] == "DeadlineExceededError"


def test_the_next_request_has_its_own_deadline_and_a_sound_connection(
    resolver: Handler, service: RawService, deadline: Deadline
) -> None:
    service.queue("ResolveCustomer", dripping(USUAL["ResolveCustomer"]))
    deadline.set(SECONDS)
    resolver(form_event({"x-amzn-marketplace-token": "token"}), None)
    deadline.set(10)

    response = resolver(form_event({"x-amzn-marketplace-token": "token"}), None)

    assert response["statusCode"] == 303


def test_a_signal_that_comes_between_calls_interrupts_nothing(deadline: Deadline) -> None:
    deadline.set(SECONDS)
    with deadline.bound():
        pass

    deadline._expire()


def test_the_deadline_gets_past_what_catches_every_exception(deadline: Deadline) -> None:
    def careless() -> None:
        try:
            time.sleep(10)
        except Exception:  # noqa: BLE001 - as botocore does
            pytest.fail("caught")

    deadline.set(0.05)
    with pytest.raises(DeadlineExceededError), deadline.bound():
        careless()


def test_the_function_takes_the_deadline_from_lambda(
    service: RawService, environment: dict[str, str], tmp_path: Path
) -> None:
    service.always("ResolveCustomer", dripping(USUAL["ResolveCustomer"]))

    with running(tmp_path / "log", environment, "--remaining=1600") as function:
        # Its start takes longer than a second on a busy machine.
        assert (function(form_event({})) or {})["statusCode"] == 400
        start = time.monotonic()
        response = function(form_event({"x-amzn-marketplace-token": "token"}))

    assert response
    assert response["statusCode"] == 503
    # A second of the remaining time is kept for the response.
    assert time.monotonic() - start < 1.6
    assert "DeadlineExceededError" in function.printed()


def test_the_sdk_prints_nothing_that_aws_sent(service: RawService, environment: dict[str, str], tmp_path: Path) -> None:
    refused = Raw(
        status=403,
        body=b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>secret-1</Message></Error></ErrorResponse>",
    )
    malformed = Raw(body=b"[]", headers=(("no header\r\nsecret-2", "secret-3"),))
    with running(tmp_path / "log", environment) as function:
        service.queue("AssumeRole", refused)
        service.queue("AssumeRole", malformed)
        responses = [function(form_event({"x-amzn-marketplace-token": "token"})) for _ in range(2)]

    assert [response and response["statusCode"] for response in responses] == [500, 303]
    assert "'outcome': 'registered_again'" in function.printed()
    assert "secret" not in function.printed()
