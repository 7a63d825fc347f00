"""The publisher as it is composed in Lambda, with DynamoDB and EventBridge on loopback."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from constructs_lib.subscriptions._functions import PUBLISHER
from publisher.composition import compose
from publisher.settings import Settings
from sdk.deadline import Deadline
from tests.functional.raw_service import Raw, RawService
from tests.subscription_fakes import FakeTable, stream_batch_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from publisher.handler import Handler
    from publisher.publications import Change
    from tests.functional.conftest import Tables

ACCOUNT, PRODUCT, LICENSE = "111122223333", "product", "l-1"
REGISTERED = "2026-11-23T12:00:00.000000+00:00"
ACCEPTED = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


def raw(response: object, status: int = 200) -> Raw:
    return Raw(body=json.dumps(response).encode(), status=status)


@pytest.fixture
def models() -> Path:
    return PUBLISHER.folder / "models"


@pytest.fixture
def events() -> Iterator[RawService]:
    with RawService({"PutEvents": raw(ACCEPTED)}) as service:
        yield service


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def settings(tables: Tables) -> Settings:
    return Settings(registrations_table=tables.registrations, event_bus="default")


@pytest.fixture
def publisher(
    settings: Settings,
    models: Path,
    events: RawService,
    dynamodb_url: str,
    deadline: Deadline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Handler:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", events.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("publisher.delivery.PAUSE_SECONDS", 0)
    caplog.set_level(logging.INFO, "publisher")
    return compose(settings, models=models, deadline=deadline)


def registration(license_arn: str = LICENSE) -> list[Change]:
    table = FakeTable()
    table.register(ACCOUNT, PRODUCT, license_arn, at=REGISTERED)
    return table.stream[ACCOUNT, f"{PRODUCT}#{license_arn}"]


def failures(publisher: Handler, changes: list[Change]) -> int:
    return len(publisher(stream_batch_of(changes), None)["batchItemFailures"])


def line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = (record for record in caplog.records if record.name == "publisher")
    return vars(record)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"ErrorCode": "ThrottlingException", "ErrorMessage": "never logged"}, "event_bus_throttled"),
        ({"ErrorCode": "InternalFailure"}, "event_bus_unavailable"),
        ({"ErrorCode": "InternalException"}, "event_bus_unavailable"),
        ({"ErrorCode": "NotAuthorizedForSourceException"}, "event_bus_refused"),
    ],
)
def test_an_entry_that_failed_is_put_again_and_then_left_to_the_stream(
    publisher: Handler, events: RawService, caplog: pytest.LogCaptureFixture, result: dict[str, str], outcome: str
) -> None:
    events.always("PutEvents", raw({"FailedEntryCount": 1, "Entries": [result]}))

    assert failures(publisher, registration()) == 1

    assert len(events.calls) == 4
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == (outcome, result["ErrorCode"])


def test_an_entry_that_is_accepted_at_last_is_done(publisher: Handler, events: RawService) -> None:
    events.queue("PutEvents", raw({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}), times=3)

    assert failures(publisher, registration()) == 0


@pytest.mark.parametrize(
    ("response", "outcome", "reason", "calls"),
    [
        (raw({"__type": "InternalException"}, 500), "event_bus_unavailable", "InternalException", 3),
        (raw({"__type": "ThrottlingException"}, 400), "event_bus_throttled", "ThrottlingException", 3),
        (raw({"__type": "AccessDeniedException"}, 400), "event_bus_refused", "AccessDeniedException", 1),
        (raw({"FailedEntryCount": 0, "Entries": []}), "event_bus_unavailable", "UnusableResponseError", 1),
        (raw({"Entries": [1]}), "event_bus_unavailable", "UnusableResponseError", 3),
    ],
)
def test_a_call_that_fails_is_left_to_the_stream(
    publisher: Handler,
    events: RawService,
    caplog: pytest.LogCaptureFixture,
    response: Raw,
    outcome: str,
    reason: str,
    calls: int,
) -> None:
    events.always("PutEvents", response)

    assert failures(publisher, registration()) == 1

    assert len(events.calls) == calls
    assert (line(caplog)["outcome"], line(caplog)["reason"]) == (outcome, reason)


def test_a_read_that_fails_is_left_to_the_stream(
    models: Path, publisher: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    del publisher  # for what it sets in the environment
    missing = compose(Settings(registrations_table="missing", event_bus="default"), models=models)

    assert failures(missing, registration("")) == 1

    assert (line(caplog)["outcome"], line(caplog)["reason"]) == ("store_unavailable", "ResourceNotFoundException")


def test_what_is_not_put_by_the_deadline_is_left_to_the_stream(
    publisher: Handler, events: RawService, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    deadline.set(0)

    assert failures(publisher, registration()) == 1

    assert events.calls == []
    assert line(caplog)["reason"] == "DeadlineExceededError"


def test_the_bus_gets_the_event_with_its_source_and_the_tables_arn(
    settings: Settings, models: Path, publisher: Handler, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del publisher  # for what it sets in the environment
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", dynamodb_url)
    events = boto3.client("events", endpoint_url=dynamodb_url)
    queues = boto3.client("sqs", endpoint_url=dynamodb_url)
    url = queues.create_queue(QueueName="told")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["marketplace-registration"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])

    assert failures(compose(settings, models=models), registration()) == 0

    (message,) = queues.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(message["Body"])
    assert (told["source"], told["detail-type"]) == ("marketplace-registration", "Buyer Registered")
    assert told["resources"] == ["arn:aws:dynamodb:eu-west-1:111122223333:table/registrations"]
    assert told["detail"]["registration"]["LicenseArn"] == LICENSE
