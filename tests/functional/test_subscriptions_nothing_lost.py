"""A thousand buyers' lives in shuffled order while a fifth of all calls fails: table and publications end right."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from constructs_lib.subscriptions._functions import PUBLISHER, SUBSCRIBER
from local.emulated.faulty_dynamodb import Fault, FaultyDynamoDB, dynamodb_process
from publisher import composition as publishers
from publisher.settings import Settings as PublishersSettings
from resolver.store import DynamoDBStore
from sdk.deadline import Deadline
from subscriber import composition as subscribers
from subscriber.settings import Settings
from tests.functional.json_services import EntitlementService, FaultyEventBus
from tests.marketplace_events import NEW, PRODUCT_CODE, agreement_event, license_event
from tests.subscription_fakes import batch_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from publisher.handler import Handler as Publisher
    from resolver.registration import Customer
    from subscriber.handler import Handler as Subscriber
    from tests.marketplace_events import Event

SEED = 20160114
BUYERS = 1000
PARTS = 2
"""Each a test of its own, so that two cores share the buyers."""
FAILING = 0.2
KILLED = 0.1
MAX_RECEIVES = 20
STORE_FAULTS = [Fault.THROUGHPUT_EXCEEDED, Fault.THROTTLED, Fault.SERVER_ERROR, Fault.CLOSED, Fault.ANSWER_LOST]


@dataclass(frozen=True)
class Buyer:
    number: int

    @property
    def account(self) -> str:
        return f"{self.number:012}"

    @property
    def license_arn(self) -> str:
        return f"l-{self.number}"

    @property
    def is_legacy(self) -> bool:
        return self.number % 5 == 0

    @property
    def stays(self) -> bool:
        return self.number % 3 == 0

    @property
    def customer(self) -> Customer:
        customer: Customer = {"CustomerAWSAccountId": self.account, "ProductCode": PRODUCT_CODE}
        return customer if self.is_legacy else {**customer, "LicenseArn": self.license_arn}

    @property
    def events(self) -> list[Event]:
        def at(minute: int) -> str:
            return f"2026-08-20T14:{minute:02}:00Z"

        def license_(kind: str, minute: int) -> Event:
            return license_event(kind, time=at(minute), account=self.account, license_arn=self.license_arn)

        agreement = f"agmt-{self.number}"
        lived = [
            agreement_event("Created", time=at(1), account=self.account, id=agreement, **NEW),
            license_("Updated", 2),
            license_("Updated", 3),
        ]
        ended = [
            agreement_event("Ended", time=at(4), account=self.account, id=agreement, status="CANCELLED"),
            license_("Deprovisioned", 5),
        ]
        return lived if self.stays else lived + ended


@pytest.fixture(scope="module")
def dynamodb_url() -> Iterator[str]:
    with dynamodb_process() as url:
        yield url


@pytest.fixture
def table(dynamodb_url: str, request: pytest.FixtureRequest) -> str:
    name = f"nothing-lost-{request.node.callspec.params['part']}"
    boto3.client("dynamodb", endpoint_url=dynamodb_url).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in ("CustomerAWSAccountId", "ProductLicense")
        ],
        KeySchema=[
            {"AttributeName": "CustomerAWSAccountId", "KeyType": "HASH"},
            {"AttributeName": "ProductLicense", "KeyType": "RANGE"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name


class Stream:
    """The table's stream, which gives each batch to the publisher until all of it is done."""

    def __init__(self, url: str, table: str, chance: random.Random) -> None:
        self._streams = boto3.client("dynamodbstreams", endpoint_url=url)
        (stream,) = self._streams.list_streams(TableName=table)["Streams"]
        self._arn = stream["StreamArn"]
        (shard,) = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        self._iterator = self._streams.get_shard_iterator(
            StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        self._chance = chance

    def drain(self, publisher: Publisher) -> int:
        response = self._streams.get_records(ShardIterator=self._iterator, Limit=1000)
        self._iterator = response["NextShardIterator"]
        records = response["Records"]
        for record in records:
            record["eventSourceARN"] = self._arn
        waiting = list(records)
        while waiting:
            batch = waiting[:50]
            failures = publisher({"Records": batch}, None)["batchItemFailures"]
            if self._chance.random() < KILLED:
                continue
            numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
            waiting = waiting[numbers.index(failures[0]["itemIdentifier"]) if failures else len(batch) :]
        return len(records)


@pytest.fixture
def services(dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, ...]]:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("publisher.delivery.PAUSE_SECONDS", 0)
    with (
        FaultyDynamoDB(dynamodb_url) as dynamodb,
        EntitlementService(chance=random.Random(SEED), failing=FAILING) as entitlements,
        FaultyEventBus(random.Random(SEED), FAILING) as bus,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE", entitlements.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", bus.endpoint_url)
        yield dynamodb, entitlements, bus


@dataclass(kw_only=True)
class Life:
    """All that happens to the buyers: their events and their visits, in shuffled order, until nothing is left to do."""

    subscriber: Subscriber
    publisher: Publisher
    resolver: DynamoDBStore
    stream: Stream
    chance: random.Random
    receives: Counter[str] = field(default_factory=Counter)
    dead: list[Event] = field(default_factory=list)

    def run(self, buyers: list[Buyer]) -> None:
        visits = self.chance.sample(buyers, len(buyers))
        queue = [event for buyer in buyers for event in buyer.events]
        self.chance.shuffle(queue)
        while queue or visits:
            queue = queue[10:] + self.receive(queue[:10])
            for buyer in visits[:2]:
                self.resolver.write_registration(buyer.customer, at="2026-08-20T14:24:44.000000+00:00")
            visits = visits[2:]
            if self.chance.random() < 0.1:
                self.stream.drain(self.publisher)
        while self.stream.drain(self.publisher):
            pass

    def receive(self, batch: list[Event]) -> list[Event]:
        """Handle a batch, and return the events that the queue delivers again."""
        messages = batch_of(batch)
        failed = {each["itemIdentifier"] for each in self.subscriber(messages, None)["batchItemFailures"]}
        killed = self.chance.random() < KILLED
        again: list[Event] = []
        for message, event in zip(messages["Records"], batch, strict=True):
            self.receives[event["id"]] += 1
            if killed or message["messageId"] in failed:
                (self.dead if self.receives[event["id"]] >= MAX_RECEIVES else again).append(event)
        return again


def check(buyer: Buyer, items: dict[str, Any], told: list[dict[str, Any]]) -> None:
    """Hold what is stored and what was told against the buyer's life."""
    license_ = items[f"{PRODUCT_CODE}#{buyer.license_arn}"]
    assert license_["LicenseStatus"]["S"] == ("ACTIVE" if buyer.stays else "DEPROVISIONED")
    assert ("Entitlements" in license_) == buyer.stays
    agreement = items[f"#agmt-{buyer.number}"]
    assert agreement["AgreementStatus"]["S"] == ("ACTIVE" if buyer.stays else "CANCELLED")
    assert agreement["AgreementIntent"]["S"] == "NEW"
    assert any(entry["DetailType"] == "Buyer Registered" for entry in told)
    decisive = sorted(
        (json.loads(entry["Detail"])["revision"], entry["DetailType"])
        for entry in told
        if entry["DetailType"] in {"Subscription Ready", "Subscription Ended"}
    )
    if buyer.stays:
        assert decisive[-1][1] == "Subscription Ready"
    elif decisive:
        # Otherwise the end came first of all.
        assert decisive[-1][1] == "Subscription Ended"


@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_buyers_lives_end_right_while_a_fifth_of_all_calls_fails(
    services: tuple[FaultyDynamoDB, EntitlementService, FaultyEventBus], table: str, dynamodb_url: str, part: int
) -> None:
    dynamodb, entitlements, bus = services
    chance = random.Random(SEED + part)
    buyers = [Buyer(number) for number in range(part * BUYERS // PARTS, (part + 1) * BUYERS // PARTS)]
    entitlements.entitlements = {buyer.license_arn: [{"Dimension": buyer.license_arn}] for buyer in buyers}
    own = boto3.client("dynamodb", endpoint_url=dynamodb_url)
    life = Life(
        subscriber=subscribers.compose(
            Settings.from_environment({"PRODUCTS": json.dumps([PRODUCT_CODE]), "REGISTRATIONS_TABLE": table}),
            models=SUBSCRIBER.folder / "models",
        ),
        publisher=publishers.compose(
            PublishersSettings(registrations_table=table, event_bus="default"), models=PUBLISHER.folder / "models"
        ),
        resolver=DynamoDBStore(own, registrations_table=table, claims_table="unused", deadline=Deadline()),
        stream=Stream(dynamodb_url, table, chance),
        chance=chance,
    )
    dynamodb.inject_at_random(FAILING, STORE_FAULTS, random.Random(SEED + part))

    life.run(buyers)

    assert life.dead == []
    pages = own.get_paginator("scan").paginate(TableName=table)
    items = {item["ProductLicense"]["S"]: item for page in pages for item in page["Items"]}
    told = defaultdict(list)
    for entry in bus.accepted:
        told[json.loads(entry["Detail"])["registration"]["CustomerAWSAccountId"]].append(entry)
    for buyer in buyers:
        check(buyer, items, told[buyer.account])
    # All of this under faults of every kind; some outlasted the SDK's retries.
    assert set(dynamodb.injected) == set(STORE_FAULTS)
    assert dynamodb.injected.total() / dynamodb.calls.total() == pytest.approx(FAILING, rel=0.1)
    assert max(life.receives.values()) > 2
    assert bus.failed > BUYERS // PARTS // 10
