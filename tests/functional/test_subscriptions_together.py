"""From Marketplace's event to the seller's target: both functions as composed, the table and its stream, and a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3

from constructs_lib.subscriptions._functions import PUBLISHER, SUBSCRIBER
from publisher import composition as publishers
from publisher.settings import Settings as PublishersSettings
from resolver.store import DynamoDBStore
from sdk.deadline import Deadline
from subscriber import composition as subscribers
from subscriber.settings import Settings
from tests.functional.json_services import EntitlementService
from tests.marketplace_events import BUYER, LICENSE, PRODUCT_CODE, license_event
from tests.subscription_fakes import batch_of

if TYPE_CHECKING:
    import pytest

TABLE = "subscriptions-together"


def stream_records(url: str) -> list[dict[str, Any]]:
    """Return the stream's records as Lambda passes them on."""
    streams = boto3.client("dynamodbstreams", endpoint_url=url)
    (stream,) = streams.list_streams(TableName=TABLE)["Streams"]
    (shard,) = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
    for record in records:
        record["eventSourceARN"] = stream["StreamArn"]
        del record["dynamodb"]["ApproximateCreationDateTime"]
    return records


def test_a_buyers_life_reaches_the_sellers_target(dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("DYNAMODB", "EVENTBRIDGE"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", dynamodb_url)
    dynamodb = boto3.client("dynamodb", endpoint_url=dynamodb_url)
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("CustomerAWSAccountId", "ProductLicense")
        ],
        KeySchema=[
            {"AttributeName": "CustomerAWSAccountId", "KeyType": "HASH"},
            {"AttributeName": "ProductLicense", "KeyType": "RANGE"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    events, queues = (boto3.client(name, endpoint_url=dynamodb_url) for name in ("events", "sqs"))
    events.create_event_bus(Name="seller")
    url = queues.create_queue(QueueName="seller")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name="all", EventBusName="seller", EventPattern=json.dumps({"source": ["marketplace-registration"]})
    )
    events.put_targets(Rule="all", EventBusName="seller", Targets=[{"Id": "queue", "Arn": arn}])
    resolver = DynamoDBStore(dynamodb, registrations_table=TABLE, claims_table="unused", deadline=Deadline())

    with EntitlementService({LICENSE: [{"Dimension": "Users", "Value": {"IntegerValue": 25}}]}) as entitlements:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE", entitlements.endpoint_url)
        settings = Settings.from_environment({"PRODUCTS": json.dumps([PRODUCT_CODE]), "REGISTRATIONS_TABLE": TABLE})
        subscriber = subscribers.compose(settings, models=SUBSCRIBER.folder / "models")
        assert subscriber(batch_of([license_event("Updated")]), None) == {"batchItemFailures": []}
    resolver.write_registration(
        {"CustomerAWSAccountId": BUYER, "ProductCode": PRODUCT_CODE, "LicenseArn": LICENSE},
        at="2026-08-20T14:24:44.000000+00:00",
    )
    assert subscriber(batch_of([license_event("Deprovisioned", time="2026-08-20T14:25:28Z")]), None) == {
        "batchItemFailures": []
    }
    publisher = publishers.compose(
        PublishersSettings(registrations_table=TABLE, event_bus="seller"), models=PUBLISHER.folder / "models"
    )
    assert publisher({"Records": stream_records(dynamodb_url)}, None) == {"batchItemFailures": []}

    messages = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    told = [json.loads(message["Body"]) for message in messages]
    assert [event["detail-type"] for event in told] == ["Buyer Registered", "Subscription Ready", "Subscription Ended"]
    ready = told[1]["detail"]["registration"]
    assert (ready["LicenseStatus"], ready["Entitlements"]) == (
        "ACTIVE",
        [{"Dimension": "Users", "Value": {"IntegerValue": 25}}],
    )
