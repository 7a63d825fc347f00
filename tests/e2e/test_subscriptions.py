"""Subscriptions after a real `cdk deploy`: from an event in the queue to the seller's target, with roles enforced.

The local AWS rejects events of sources that begin with `aws.`, as AWS does, so the events are put where the rule puts
them: into the queue. Its stream ignores partial batch responses, which the functional tests cover.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import pytest
from botocore.exceptions import ClientError

from constructs_lib.testing import MarketplaceCustomer, MarketplaceEventType
from local.deployment import registration_code
from local.local_aws import ACCOUNT
from local.product import PRODUCT_CODE
from tests.e2e.deployments import another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.deployment import Deployment

SECONDS = 30
"""Within which everything arrives; the local AWS polls queues and streams each second."""


@dataclass(frozen=True, kw_only=True)
class Subscribed:
    """The deployed product, and what the test knows of it."""

    product: Deployment
    outputs: Mapping[str, str]
    publishing: Mapping[str, str]
    sqs: Any

    def arrive(self, *events: Mapping[str, Any] | str) -> None:
        """Put events into the queue, in Marketplace's envelope."""
        for event in events:
            body = event if isinstance(event, str) else json.dumps(event)
            self.sqs.send_message(QueueUrl=self.outputs["QueueUrl"], MessageBody=body)

    def told(self, kind: str) -> dict[str, Any]:
        """Return the next event that the seller's target of a kind gets."""
        url = self.outputs[f"{kind}Url"]
        message = self.message(url)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        event: dict[str, Any] = json.loads(message["Body"])
        return event

    def message(self, url: str) -> dict[str, Any]:
        def received() -> dict[str, Any] | None:
            messages = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
            return messages[0] if messages else None

        message: dict[str, Any] = eventually(received)
        return message

    def item(self, customer: MarketplaceCustomer) -> dict[str, Any]:
        key = {
            "CustomerAWSAccountId": {"S": customer.customer_aws_account_id},
            "ProductLicense": {"S": f"{customer.product_code}#{customer.license_arn or ''}"},
        }
        table = self.outputs["TableName"]
        item: dict[str, Any] = self.product.aws.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})
        return item


def eventually(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.2)
    raise AssertionError(f"nothing within {SECONDS} seconds")


@pytest.fixture(scope="module")
def subscribed(deployment: Deployment) -> Iterator[Subscribed]:
    stacks = deployment.aws.deploy(app="python -m tests.e2e.subscribed")
    product = another(deployment, stacks["Subscribed"])
    with product.http:
        yield Subscribed(
            product=product,
            outputs=stacks["Subscribed"],
            publishing=stacks["Publishing"],
            sqs=deployment.aws.client("sqs"),
        )


def register(subscribed: Subscribed, customer: MarketplaceCustomer) -> str:
    response = subscribed.product.set_up_account(subscribed.product.marketplace.form(customer))
    assert response.status_code == 303
    return registration_code(response.headers["Location"])


def test_a_buyers_life_from_marketplaces_events_to_the_sellers_targets(subscribed: Subscribed) -> None:
    marketplace = subscribed.product.marketplace
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    # The event comes before the buyer.
    subscribed.arrive(*marketplace.subscribe(customer, entitlements={"users": 10}))
    status = eventually(lambda: subscribed.item(customer).get("Entitlements") and subscribed.item(customer))
    assert status["LicenseStatus"] == {"S": "ACTIVE"}
    assert "RegisteredAt" not in status
    code = register(subscribed, customer)

    registered, ready = subscribed.told("Registered"), subscribed.told("Ready")
    claim: Any = subscribed.product.claim(code)
    for told in (registered["detail"]["registration"], ready["detail"]["registration"], claim):
        assert told["CustomerAWSAccountId"] == customer.customer_aws_account_id
        assert told["LicenseStatus"] == "ACTIVE"
        assert told["Entitlements"][0]["Value"] == {"IntegerValue": 10}
    assert ready["source"] == "marketplace-registration"
    assert [arn.rpartition("/")[2] for arn in ready["resources"]] == [subscribed.outputs["TableName"]]
    assert code not in json.dumps([registered, ready])

    subscribed.arrive(*marketplace.change(customer, entitlements={"users": 25}))
    # The agreement has changed too, which is told for itself.
    changes = [subscribed.told("Changed"), subscribed.told("Changed")]
    changed = max(
        changes, key=lambda change: change["detail"]["registration"]["Entitlements"][0]["Value"]["IntegerValue"]
    )
    assert changed["detail"]["registration"]["Entitlements"][0]["Value"] == {"IntegerValue": 25}
    assert changed["detail"]["previous"]["Entitlements"][0]["Value"] == {"IntegerValue": 10}

    subscribed.arrive(*marketplace.cancel(customer))
    ended = subscribed.told("Ended")
    assert ended["detail"]["registration"]["LicenseStatus"] == "DEPROVISIONED"
    assert ended["detail"]["revision"] > changed["detail"]["revision"] >= ready["detail"]["revision"]


def test_a_buyer_who_comes_before_the_event_is_ready_afterwards(subscribed: Subscribed) -> None:
    marketplace = subscribed.product.marketplace
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    claim: Any = subscribed.product.claim(register(subscribed, customer))
    assert "LicenseStatus" not in claim
    account = customer.customer_aws_account_id
    assert subscribed.told("Registered")["detail"]["registration"]["CustomerAWSAccountId"] == account

    subscribed.arrive(*marketplace.subscribe(customer, entitlements={"users": 1}))

    assert subscribed.told("Ready")["detail"]["registration"]["CustomerAWSAccountId"] == account


def test_the_rules_pattern_takes_every_kind_of_marketplaces_events_and_no_other_source(subscribed: Subscribed) -> None:
    eventbridge = subscribed.product.aws.client("events")
    patterns = {
        rule["EventPattern"]
        for rule in eventbridge.list_rules()["Rules"]
        if "aws.agreement" in rule.get("EventPattern", "")
    }
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    subscribed.product.marketplace.subscribe(customer)

    def matches(event: Mapping[str, Any]) -> set[bool]:
        return {
            eventbridge.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
            for pattern in patterns
        }

    for kind in [*get_args(MarketplaceEventType), "A Kind of Next Year - Proposer"]:
        event = subscribed.product.marketplace.event(customer, kind)
        assert matches(event) == {True}
        assert matches({**event, "source": "marketplace-registration"}) == {False}


def test_a_poison_message_goes_to_the_dead_letter_queue_alone(subscribed: Subscribed) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    queue = subscribed.outputs["QueueUrl"]
    attributes = subscribed.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == ("360", "1209600")
    # Ten attempts in seconds instead of an hour.
    subscribed.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})

    subscribed.arrive("no event", *subscribed.product.marketplace.subscribe(customer))

    dead = subscribed.message(subscribed.outputs["DeadLettersUrl"])
    assert dead["Body"] == "no event"
    eventually(lambda: subscribed.item(customer).get("LicenseStatus"))
    subscribed.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})
    left = subscribed.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"


def test_the_rules_are_deployed_with_their_targets_and_dead_letter_queues(subscribed: Subscribed) -> None:
    """The local AWS delivers to no other account or region, so the forwarding is only looked at."""
    events = subscribed.product.aws.client("events")

    (target,) = events.list_targets_by_rule(Rule=subscribed.publishing["RuleName"])["Targets"]
    # The app of the other tests has rules of its own.
    rules = [rule for rule in events.list_rules()["Rules"] if not rule["Name"].startswith("Seller-")]

    assert target["Arn"] == "arn:aws:events:eu-west-1:111122223333:event-bus/marketplace"
    assert target["RoleArn"] == subscribed.publishing["RoleArn"]
    assert "DeadLetters" in target["DeadLetterConfig"]["Arn"]
    of_marketplace = [rule for rule in rules if "aws.agreement-marketplace" in rule.get("EventPattern", "")]
    assert len(of_marketplace) == 2
    (queue,) = (
        target["Arn"].rpartition(":")[2]
        for rule in of_marketplace
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if ":sqs:" in target["Arn"]
    )
    assert subscribed.outputs["QueueUrl"].endswith(f"/{queue}")


# --- What each role allows and denies.

KEY = {"CustomerAWSAccountId": {"S": "111122223333"}, "ProductLicense": {"S": "#agmt-of-the-test"}}
SET = {"UpdateExpression": "SET Probe = :probe", "ExpressionAttributeValues": {":probe": {"S": "x"}}}
PARTITION = {
    "KeyConditionExpression": "CustomerAWSAccountId = :account",
    "ExpressionAttributeValues": {":account": {"S": "111122223333"}},
}
ENTRY = {"Source": "marketplace-registration", "DetailType": "Probe", "Detail": "{}"}


class Probe:
    """A function's own role, assumed by the test."""

    def __init__(self, subscribed: Subscribed, role_arn: str) -> None:
        aws = subscribed.product.aws
        iam = aws.client("iam")
        name = role_arn.rpartition("/")[2]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        widened = {**trust, "Statement": [*trust["Statement"], allowed]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
        keys = aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="probe")["Credentials"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        self._aws = aws
        self._keys = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        self.table = subscribed.outputs["TableName"]
        self.reconciliation_table = subscribed.outputs["ReconciliationTableName"]
        self.queue, self.dead = subscribed.outputs["QueueUrl"], subscribed.outputs["DeadLettersUrl"]
        self.seller = subscribed.outputs["ReadyUrl"]

    def client(self, service: str) -> Any:
        return self._aws.client(service, **self._keys)


@pytest.fixture(scope="module")
def subscriber(subscribed: Subscribed) -> Probe:
    return Probe(subscribed, subscribed.outputs["SubscriberRoleArn"])


@pytest.fixture(scope="module")
def publisher(subscribed: Subscribed) -> Probe:
    return Probe(subscribed, subscribed.outputs["PublisherRoleArn"])


@pytest.fixture(scope="module")
def reconciler(subscribed: Subscribed) -> Probe:
    return Probe(subscribed, subscribed.outputs["ReconcilerRoleArn"])


def denied(call: Callable[[], object]) -> bool:
    with pytest.raises(ClientError) as denial:
        call()
    return denial.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


def test_the_subscriber_may_write_the_table_and_read_its_queue_and_nothing_more(subscriber: Probe) -> None:
    dynamodb, sqs = subscriber.client("dynamodb"), subscriber.client("sqs")

    dynamodb.update_item(TableName=subscriber.table, Key=KEY, **SET)
    sqs.get_queue_attributes(QueueUrl=subscriber.queue, AttributeNames=["QueueArn"])
    assert denied(lambda: dynamodb.get_item(TableName=subscriber.table, Key=KEY))
    assert denied(lambda: dynamodb.query(TableName=subscriber.table, **PARTITION))
    assert denied(lambda: dynamodb.delete_item(TableName=subscriber.table, Key=KEY))
    assert denied(lambda: sqs.send_message(QueueUrl=subscriber.queue, MessageBody="{}"))
    assert denied(lambda: sqs.receive_message(QueueUrl=subscriber.dead))
    assert denied(lambda: subscriber.client("events").put_events(Entries=[ENTRY]))


def test_the_publisher_may_read_partitions_and_put_events_and_nothing_more(publisher: Probe) -> None:
    dynamodb, events = publisher.client("dynamodb"), publisher.client("events")

    dynamodb.query(TableName=publisher.table, **PARTITION)
    events.put_events(Entries=[ENTRY])
    assert denied(lambda: dynamodb.get_item(TableName=publisher.table, Key=KEY))
    assert denied(lambda: dynamodb.scan(TableName=publisher.table))
    assert denied(lambda: dynamodb.update_item(TableName=publisher.table, Key=KEY, **SET))
    assert denied(lambda: publisher.client("sqs").receive_message(QueueUrl=publisher.queue))
    assert denied(lambda: publisher.client("sqs").receive_message(QueueUrl=publisher.seller))


def test_the_reconciler_may_look_for_items_and_write_them_and_nothing_more(reconciler: Probe) -> None:
    dynamodb, own = reconciler.client("dynamodb"), reconciler.reconciliation_table

    dynamodb.query(TableName=reconciler.table, **PARTITION)
    dynamodb.scan(TableName=reconciler.table, Limit=1)
    dynamodb.update_item(TableName=reconciler.table, Key=KEY, **SET)
    dynamodb.scan(TableName=own, Limit=1)
    dynamodb.update_item(TableName=own, Key={"Name": {"S": "of-the-test"}}, **SET)
    for table in (reconciler.table, own):
        assert denied(lambda table=table: dynamodb.describe_table(TableName=table))  # type: ignore[misc]
    assert denied(lambda: dynamodb.delete_item(TableName=reconciler.table, Key=KEY))
    assert denied(lambda: reconciler.client("sqs").receive_message(QueueUrl=reconciler.queue))
    assert denied(lambda: reconciler.client("events").put_events(Entries=[ENTRY]))
