"""The example that gives access and takes it away, with a real table."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from examples.provisioning.backend.handler import apply, handler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LICENSE = {
    "CustomerAWSAccountId": "111122223333",
    "ProductCode": "a290sds6en72spp3ph4q890es",
    "LicenseArn": "arn:aws:license-manager::444455556666:license:l-1",
}
KEY = f"111122223333#{LICENSE['LicenseArn']}"
USERS: list[Any] = [{"Dimension": "users", "Value": {"DoubleValue": 2.5}}]


def event(kind: str, revision: int, entitlements: list[Any] | None = None, **registration: str) -> dict[str, Any]:
    members = {**LICENSE, **registration, **({} if entitlements is None else {"Entitlements": entitlements})}
    return {"detail-type": f"Subscription {kind}", "detail": {"revision": revision, "registration": members}}


READY, CHANGED, ENDED = event("Ready", 40), event("Changed", 41, USERS), event("Ended", 50)


@pytest.fixture
def accesses(dynamodb_url: str, endpoints: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: ARG001
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ACCESSES_TABLE", "Accesses")
    table = boto3.resource("dynamodb").create_table(
        TableName="Accesses",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "Subscription", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Subscription", "KeyType": "HASH"}],
    )
    table.wait_until_exists()
    yield table
    table.delete()


def access(table: Any, key: str = KEY) -> tuple[bool, Any, int]:
    item: Mapping[str, Any] = table.get_item(Key={"Subscription": key}, ConsistentRead=True)["Item"]
    return item["HasAccess"], json.loads(item["Entitlements"]), int(item["Revision"])


def test_any_order_and_any_repetition_end_the_same(accesses: Any) -> None:
    for events in itertools.permutations([READY, CHANGED, ENDED, ENDED]):
        for each in events:
            apply(each, table=accesses)
        assert access(accesses) == (False, [], 50)
        accesses.delete_item(Key={"Subscription": KEY})

    for events in itertools.permutations([READY, CHANGED, CHANGED]):
        for each in events:
            apply(each, table=accesses)
        assert access(accesses) == (True, USERS, 41)
        accesses.delete_item(Key={"Subscription": KEY})


def test_an_older_event_is_not_applied(accesses: Any) -> None:
    assert apply(ENDED, table=accesses)
    assert apply(ENDED, table=accesses)
    assert not apply(CHANGED, table=accesses)


def test_a_legacy_subscription_is_the_products(accesses: Any) -> None:
    legacy = event("Ready", 40)
    del legacy["detail"]["registration"]["LicenseArn"]

    apply(legacy, table=accesses)

    assert access(accesses, "111122223333#a290sds6en72spp3ph4q890es") == (True, [], 40)


def test_a_message_that_fails_is_repeated_alone(accesses: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = [json.dumps(READY), "{", json.dumps(event("Renamed", 60))]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]

    response = handler({"Records": records}, None)

    assert response == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    assert access(accesses) == (True, [], 40)
    assert "KeyError" in capsys.readouterr().err
