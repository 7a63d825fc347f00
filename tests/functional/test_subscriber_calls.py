"""The subscriber as it is composed in Lambda, with services on loopback."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.subscriptions._functions import SUBSCRIBER
from sdk.deadline import Deadline
from subscriber.composition import compose
from subscriber.log_line import FIELDS
from subscriber.settings import Settings
from tests.functional.json_services import EntitlementService
from tests.functional.raw_service import Raw, RawService
from tests.marketplace_events import BUYER, LICENSE, NEW, PRODUCT_CODE, TIME, agreement_event, license_event
from tests.subscription_fakes import batch_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from subscriber.handler import Handler
    from tests.functional.conftest import Tables

USERS = {
    "ProductCode": PRODUCT_CODE,
    "Dimension": "Users",
    "CustomerAWSAccountId": BUYER,
    "LicenseArn": LICENSE,
    "Value": {"IntegerValue": 25},
    "ExpirationDate": 1818000000,
}
SHARE = {"ProductCode": PRODUCT_CODE, "Dimension": "Share", "Value": {"DoubleValue": 0.1}}
STORED = [
    {"Dimension": "Users", "Value": {"IntegerValue": 25}, "ExpirationDate": "2027-08-11T16:00:00+00:00"},
    {"Dimension": "Share", "Value": {"DoubleValue": 0.1}},
]
ROLE = "arn:aws:iam::444455556666:role/seller"


@pytest.fixture
def models() -> Path:
    return SUBSCRIBER.folder / "models"


@pytest.fixture
def service() -> Iterator[EntitlementService]:
    with EntitlementService({LICENSE: [USERS, SHARE]}) as running:
        yield running


@pytest.fixture
def settings(tables: Tables) -> Settings:
    return Settings(
        products=frozenset({PRODUCT_CODE}),
        registrations_table=tables.registrations,
        entitlements_region="us-east-1",
        reconciliation_table=None,
        seller_role_arn=None,
        seller_role_external_id=None,
    )


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def subscriber(
    service: EntitlementService,
    settings: Settings,
    models: Path,
    dynamodb_url: str,
    deadline: Deadline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Handler:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE", service.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    caplog.set_level(logging.INFO, "subscriber")
    return compose(settings, models=models, deadline=deadline)


def failures(subscriber: Handler, *events: Any) -> int:
    return len(subscriber(batch_of(events), None)["batchItemFailures"])


def line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    return next(vars(record) for record in reversed(caplog.records) if record.name == "subscriber")


def test_a_license_is_stored_with_the_entitlements_of_all_pages(
    subscriber: Handler, service: EntitlementService, tables: Tables
) -> None:
    assert failures(subscriber, license_event("Updated"), agreement_event("Created", **NEW)) == 0

    items = tables.client.scan(TableName=tables.registrations)["Items"]
    (stored,) = (item for item in items if "LicenseArn" not in item and "LicenseStatus" in item)
    assert stored["LicenseStatus"] == {"S": "ACTIVE"}
    assert [each["M"]["Dimension"]["S"] for each in stored["Entitlements"]["L"]] == ["Users", "Share"]
    assert stored["Entitlements"]["L"][0]["M"]["ExpirationDate"] == {"S": STORED[0]["ExpirationDate"]}
    assert [request.get("NextToken") for request in service.requests] == [None, "1", "2"]
    assert all(request["ProductCode"] == PRODUCT_CODE for request in service.requests)
    assert all("/us-east-1/aws-marketplace/" in signed for signed in service.authorizations)


def test_no_entitlements_are_stored_as_none(subscriber: Handler, service: EntitlementService, tables: Tables) -> None:
    service.entitlements.clear()

    assert failures(subscriber, license_event("Updated")) == 0

    (item,) = tables.client.scan(TableName=tables.registrations)["Items"]
    assert item["Entitlements"] == {"L": []}
    assert item["EntitlementsAt"] == {"S": TIME}


@pytest.mark.parametrize(
    ("status", "code", "outcome", "level", "calls"),
    [
        (400, "ThrottlingException", "marketplace_throttled", "WARNING", 3),
        (500, "InternalServiceErrorException", "marketplace_unavailable", "WARNING", 3),
        (400, "AccessDeniedException", "marketplace_refused", "ERROR", 1),
        (400, "InvalidParameterException", "marketplace_refused", "ERROR", 1),
    ],
)
def test_entitlements_that_cannot_be_had_leave_the_status_and_the_message(
    subscriber: Handler,
    service: EntitlementService,
    tables: Tables,
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
    outcome: str,
    level: str,
    calls: int,
) -> None:
    service.errors = [(status, code)] * calls

    assert failures(subscriber, license_event("Updated")) == 1

    assert (line(caplog)["outcome"], line(caplog)["reason"], line(caplog)["levelname"]) == (outcome, code, level)
    assert tables.registration()["LicenseStatus"] == "ACTIVE"
    assert "Entitlements" not in tables.registration()
    assert failures(subscriber, license_event("Updated")) == 0
    assert "Entitlements" in tables.registration()


def test_a_date_that_python_cannot_tell_fails_its_message_alone(
    subscriber: Handler, service: EntitlementService, caplog: pytest.LogCaptureFixture
) -> None:
    service.entitlements[LICENSE] = [{**USERS, "ExpirationDate": 1e30}]

    assert failures(subscriber, license_event("Updated"), agreement_event("Created", **NEW)) == 1

    outcomes = [vars(record)["outcome"] for record in caplog.records if record.name == "subscriber"]
    assert outcomes == ["unexpected_error", "agreement_recorded"]


def test_a_number_that_dynamodb_cannot_hold_is_malformed(
    subscriber: Handler, service: EntitlementService, caplog: pytest.LogCaptureFixture
) -> None:
    service.entitlements[LICENSE] = [{"Dimension": "x" * 400 * 1024}]

    assert failures(subscriber, license_event("Updated")) == 1

    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("event_malformed", "ValidationException")


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"Entitlements": {}}', b'{"Entitlements": ["x"]}', b'{"Entitlements": [{"Value": 1}]}', b"<html>"],
)
def test_a_response_that_the_sdk_cannot_use_leaves_the_message(
    subscriber: Handler,
    settings: Settings,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
) -> None:
    del subscriber  # for what it sets in the environment
    with RawService({"GetEntitlements": Raw(body=body)}) as raw:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE", raw.endpoint_url)

        assert failures(compose(settings, models=models), license_event("Updated")) == 1

    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("marketplace_unavailable", "UnusableResponseError")
    assert raw.calls == ["GetEntitlements"] * 3


def test_what_is_not_done_by_the_deadline_is_delivered_again(
    subscriber: Handler, deadline: Deadline, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    deadline.set(0)

    assert failures(subscriber, license_event("Updated"), "{", agreement_event("Created", **NEW)) == 3

    reasons = [vars(record)["reason"] for record in caplog.records if record.name == "subscriber"]
    assert reasons == ["DeadlineExceededError", "NotJson", "DeadlineExceededError"]
    assert tables.items(tables.registrations) == []


def test_the_sellers_role_asks_for_the_entitlements_and_writes_nothing(
    settings: Settings,
    models: Path,
    service: EntitlementService,
    subscriber: Handler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del subscriber  # for what it sets in the environment
    credentials = (
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>assumed</AccessKeyId><SecretAccessKey>secret"
        b"</SecretAccessKey><SessionToken>session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>"
        b"</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    with RawService({"AssumeRole": Raw(body=credentials)}) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint_url)
        with_role = compose(settings._replace(seller_role_arn=ROLE), models=models)

        assert failures(with_role, license_event("Updated")) == 0

    assert sts.calls == ["AssumeRole"]
    assert all("Credential=assumed/" in signed for signed in service.authorizations)


def test_a_table_that_fails_leaves_the_message(
    settings: Settings, models: Path, subscriber: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    del subscriber  # for what it sets in the environment
    missing = compose(settings._replace(registrations_table="missing"), models=models)

    assert failures(missing, license_event("Updated")) == 1

    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("store_unavailable", "ResourceNotFoundException")


def test_the_log_quotes_nothing_of_a_hostile_event(subscriber: Handler, caplog: pytest.LogCaptureFixture) -> None:
    hostile = license_event("Updated", license_arn="<script>l-1</script>", account="' OR 1=1")

    failures(subscriber, hostile, json.dumps(hostile) + "<script>")

    for record in caplog.records:
        if record.name == "subscriber":
            assert "script" not in json.dumps({name: vars(record)[name] for name in FIELDS if name in vars(record)})
