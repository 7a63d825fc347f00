"""Every alarm of the subscriptions fires on its own fault, and none on an ordinary day.

As in a deployment, the real runtime client writes both functions' logs, and the template's own metric filters and
alarms are applied to them. Metrics that AWS publishes itself are written by hand.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_events as events
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceEventForwarding, MarketplaceRegistration, MarketplaceSubscriptions
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER
from constructs_lib.subscriptions._signals import FORWARDING_SIGNALS, SIGNALS
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
from local.emulated.cloudwatch import CloudWatch, Metric
from local.emulated.lambda_runtime import FUNCTION_ARN, LambdaRuntime
from publisher.publications import Change
from reconciler.log_line import COUNTS, FINDINGS, OUTCOMES, Run
from subscriptions.product_codes import NAME
from tests.functional.conftest import LANDING_PAGE, REGION, lambda_environment
from tests.functional.json_services import EntitlementService, JsonService
from tests.marketplace_events import BUYER, LICENSE, NEW, PRODUCT_CODE, agreement_event, common, event, license_event
from tests.subscription_fakes import batch_of, record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from local.emulated.lambda_runtime import Invocation

MINUTE = 60
HOUR = 60 * MINUTE
FUNCTIONS = {"subscriber": SUBSCRIBER, "publisher": PUBLISHER}
ASSETS = {**FUNCTIONS, "reconciler": RECONCILER}
TABLES = {"registrations": ("CustomerAWSAccountId", "ProductLicense"), "reconciliation": (NAME,)}
AGO = timedelta(hours=2)
"""Before now, buyers subscribe: what is later than half an hour ago may still be on its way."""


@dataclass
class EventBus(JsonService):
    """EventBridge's PutEvents.

    Attributes:
        errors: error codes for the next calls.
        accepted: the kinds of the events that were accepted.
    """

    errors: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def respond(self, target: str, authorization: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        del authorization
        assert target == "AWSEvents.PutEvents"
        if self.errors:
            return 400, {"__type": self.errors.pop(0)}
        self.accepted += [entry["DetailType"] for entry in request["Entries"]]
        return 200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in request["Entries"]]}


class Deployed:
    """A stack's template, with names for the resources that its functions and alarms use."""

    def __init__(self) -> None:
        stack = Stack(App(), "Stack")
        registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
        subscriptions = MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)
        bus = events.EventBus.from_event_bus_arn(stack, "Bus", "arn:aws:events:eu-west-2:111122223333:event-bus/bus")
        forwarding = MarketplaceEventForwarding(stack, "Forwarding", event_bus=bus)
        self.template: Mapping[str, Any] = Template.from_stack(stack).to_json()

        def logical_id(construct: Any) -> str:
            return stack.get_logical_id(construct.node.default_child)

        self.alarm_names: dict[str, str] = {
            logical_id(alarm): name
            for alarms in (subscriptions.alarms, forwarding.alarms)
            for name, alarm in alarms.items()
        }
        named = {
            "registrations": registration.table,
            "reconciliation": subscriptions.reconciliation_table,
            "subscriber": subscriptions.subscriber,
            "publisher": subscriptions.publisher,
            "queue": subscriptions.queue,
            "dead-events": subscriptions.dead_letter_queue,
            "dead-publications": subscriptions.publisher_dead_letter_queue,
            "rule": subscriptions.rule,
            "dead-forwarded": forwarding.dead_letter_queue,
            "forwarding-rule": forwarding.rule,
            "subscriber-log": subscriptions.subscriber_log_group,
            "publisher-log": subscriptions.publisher_log_group,
            "reconciler": subscriptions.reconciler,
            "reconciler-log": subscriptions.reconciler_log_group,
        }
        self.references = {logical_id(resource): name for name, resource in named.items()}

    def function(self, package: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = (
            resource["Properties"]
            for resource in self.template["Resources"].values()
            if resource.get("Properties", {}).get("Handler") == f"{package}.main.handler"
        )
        return found


class World:
    """The functions under the real runtime client, their services, and the metrics that AWS would publish.

    The reconciler has just finished a run.
    """

    def __init__(
        self,
        deployed: Deployed,
        runtimes: Mapping[str, LambdaRuntime],
        entitlements: EntitlementService,
        bus: EventBus,
        marketplace: MarketplaceStandIn,
        tables: DynamoDBClient,
    ) -> None:
        self.deployed = deployed
        self.tables = tables
        self.entitlements = entitlements
        self.marketplace = marketplace
        self.bus = bus
        self._runtimes = runtimes
        self.cloudwatch = CloudWatch(deployed.template, deployed.references)
        self._changes = 0
        self.reconcile("finished")

    def firing(self) -> set[str]:
        names = self.deployed.alarm_names
        return {names[logical_id] for logical_id in self.cloudwatch.firing() if logical_id in names}

    def invoke(self, package: str, batch: Mapping[str, Any]) -> Invocation:
        """Invoke a function, and publish what AWS would: the log, and Lambda's own metric of errors."""
        invocation = self._runtimes[package].invoke(batch)
        for written in invocation.log:
            self.cloudwatch.log(f"{package}-log", written)
        if invocation.error:
            self.cloudwatch.put("AWS/Lambda", "Errors", FunctionName=package)
        return invocation

    def deliver(self, *messages: dict[str, Any] | str) -> int:
        """Deliver messages to the subscriber, and return how many it could not handle."""
        response = self.invoke("subscriber", batch_of(messages)).response
        assert response
        return len(response["batchItemFailures"])

    def change(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> int:
        """Give a change of the buyer's license item to the publisher, and return how many it could not publish."""
        self._changes += 1
        change = Change(
            record_id=str(self._changes), account=BUYER, sort_key=f"{PRODUCT_CODE}#{LICENSE}", old=old, new=new
        )
        response = self.invoke("publisher", {"Records": [record_of(change)]}).response
        assert response
        return len(response["batchItemFailures"])

    def run(self, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Let the reconciler run, by its schedule or by hand, and return its response."""
        response = self.invoke("reconciler", request or {}).response
        assert response
        return response

    def subscribe(self, *, is_registered: bool = True) -> list[dict[str, Any]]:
        """Let a buyer subscribe two hours ago, and return the events."""
        customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
        if is_registered:
            key = {"CustomerAWSAccountId": customer.customer_aws_account_id}
            item = key | {"ProductLicense": f"{PRODUCT_CODE}#{customer.license_arn}", "RegisteredAt": "2026-08-20"}
            self.tables.put_item(TableName="registrations", Item={name: {"S": text} for name, text in item.items()})
        self.marketplace.clock.advance(-AGO)
        events = self.marketplace.subscribe(customer)
        self.marketplace.clock.advance(AGO)
        return events

    def forget_products(self) -> None:
        """Let it be as if no event had named a product."""
        for item in self.tables.scan(TableName="reconciliation")["Items"]:
            if "ProductCode" in item:
                self.tables.delete_item(TableName="reconciliation", Key={NAME: item[NAME]})

    def reconcile(self, outcome: str, *findings: str, run: str = "hourly", **counts: int) -> None:
        """Log by hand what a run of the reconciler logs, where the time between runs is what matters."""
        assert outcome in OUTCOMES
        assert {*findings} <= {*FINDINGS}
        assert run in get_args(Run)
        assert counts.keys() <= {*COUNTS}
        lines: list[dict[str, Any]] = [
            *({"message": "finding", "outcome": finding} for finding in findings),
            {"message": "run", "outcome": outcome, **counts},
        ]
        for line in lines:
            written = {"level": "INFO", "logger": "reconciler", "run": run, **line}
            self.cloudwatch.log("reconciler-log", json.dumps(written))

    def value(self, namespace: str, name: str, value: float = 1.0, **dimensions: str) -> None:
        self.cloudwatch.put(namespace, name, value, **dimensions)


ITEM = {
    "CustomerAWSAccountId": BUYER,
    "ProductLicense": f"{PRODUCT_CODE}#{LICENSE}",
    "ProductCode": PRODUCT_CODE,
    "LicenseArn": LICENSE,
    "RegisteredAt": "2026-08-20T14:24:44.000000+00:00",
}
READY = {**ITEM, "LicenseStatus": "ACTIVE", "LicenseStatusAt": "2026-08-20T14:24:23Z"}


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return Deployed()


@pytest.fixture(scope="module")
def tables(deployed: Deployed, dynamodb_url: str) -> Iterator[DynamoDBClient]:
    keys = {"endpoint_url": dynamodb_url, "region_name": REGION}
    client = boto3.client("dynamodb", aws_access_key_id="test", aws_secret_access_key="test", **keys)  # type: ignore[call-overload]
    made = {
        name: resource["Properties"]
        for logical_id, resource in deployed.template["Resources"].items()
        if (name := deployed.references.get(logical_id)) in TABLES
    }
    names = "BillingMode", "AttributeDefinitions", "KeySchema"
    for table_name, table in made.items():
        client.create_table(TableName=table_name, **{name: table[name] for name in names})
    yield client
    for table_name in made:
        client.delete_table(TableName=table_name)
    client.close()


def empty(tables: DynamoDBClient) -> None:
    """Delete all items, except that a run has finished an hour ago."""
    for table, keys in TABLES.items():
        for item in tables.scan(TableName=table)["Items"]:
            tables.delete_item(TableName=table, Key={key: item[key] for key in keys})
    began = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    tables.put_item(TableName="reconciliation", Item={NAME: {"S": "position"}, "FinishedRunBegan": {"S": began}})


@pytest.fixture(scope="module")
def entitlements_of_module() -> Iterator[EntitlementService]:
    with EntitlementService() as service:
        yield service


@pytest.fixture(scope="module")
def bus_of_module() -> Iterator[EventBus]:
    with EventBus() as bus:
        yield bus


@pytest.fixture(scope="module")
def runtimes(
    deployed: Deployed,
    entitlements_of_module: EntitlementService,
    bus_of_module: EventBus,
    dynamodb_url: str,
    tables: DynamoDBClient,
    port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, LambdaRuntime]]:
    del tables
    endpoints = {
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": bus_of_module.endpoint_url,
        "AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE": entitlements_of_module.endpoint_url,
        "AWS_ENDPOINT_URL_MARKETPLACE_AGREEMENT": f"http://127.0.0.1:{port}",
    }
    made = {
        package: LambdaRuntime(
            asset.folder,
            handler=deployed.function(package)["Handler"],
            environment={
                **lambda_environment(deployed.function(package), package, deployed.references),
                **endpoints,
            },
            timeout=deployed.function(package)["Timeout"],
            printed=tmp_path_factory.mktemp("runtime") / "printed",
        )
        for package, asset in ASSETS.items()
    }
    with made["subscriber"], made["publisher"], made["reconciler"]:
        yield made


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@pytest.fixture
def marketplace(port: int) -> Iterator[MarketplaceStandIn]:
    """A Marketplace without any buyers, in the account of the functions."""
    with MarketplaceStandIn(port=port, seller_account_id=FUNCTION_ARN.split(":")[4]) as stand_in:
        yield stand_in


@pytest.fixture
def world(
    deployed: Deployed,
    runtimes: Mapping[str, LambdaRuntime],
    entitlements_of_module: EntitlementService,
    bus_of_module: EventBus,
    marketplace: MarketplaceStandIn,
    tables: DynamoDBClient,
) -> World:
    entitlements_of_module.errors.clear()
    bus_of_module.errors.clear()
    empty(tables)
    named = marketplace.event(MarketplaceCustomer.licensed(PRODUCT_CODE), "License Updated - Manufacturer")
    product = {NAME: {"S": named["detail"]["product"]["id"]}, "ProductCode": {"S": PRODUCT_CODE}}
    tables.put_item(TableName="reconciliation", Item=product)
    return World(deployed, runtimes, entitlements_of_module, bus_of_module, marketplace, tables)


def message_is_no_event(world: World) -> None:
    assert world.deliver("no event") == 1


def message_is_hostile(world: World) -> None:
    assert world.deliver(license_event("Updated", account="<script>alert(1)</script>")) == 1


def message_has_no_body(world: World) -> None:
    response = world.invoke("subscriber", {"Records": [{"messageId": "1"}]}).response
    assert response == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def advisory(what: str) -> Callable[[World], None]:
    def arrive(world: World) -> None:
        detail = common({"id": "agmt-1"}, product={"id": "prod-1"}, advisory={"issuedAt": "2026-08-20T14:24:23Z"})
        assert world.deliver(event(f"Purchase Agreement Advisory {what} - Manufacturer", detail)) == 0

    arrive.__name__ = f"advisory_is_{what.lower()}"
    return arrive


def marketplace_denies(world: World) -> None:
    world.entitlements.errors.append((400, "AccessDeniedException"))
    assert world.deliver(license_event("Updated")) == 1


def marketplace_throttles(world: World) -> None:
    world.entitlements.errors += [(400, "ThrottlingException")] * 3
    assert world.deliver(license_event("Updated")) == 1


def bus_denies(world: World) -> None:
    world.bus.errors.append("AccessDeniedException")
    assert world.change(None, READY) == 1


def item_is_too_large(world: World) -> None:
    entitlements = [{"Dimension": "x" * 250, "Value": {"IntegerValue": 1}}] * 900
    assert world.change(None, {**READY, "Entitlements": entitlements}) == 1


def record_has_no_key(world: World) -> None:
    record = {"eventID": "1", "dynamodb": {"Keys": {}, "SequenceNumber": "1"}, "eventSourceARN": "arn:table/stream/1"}
    assert world.invoke("publisher", {"Records": [record]}).response == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def raises(package: str) -> Callable[[World], None]:
    def fail(world: World) -> None:
        invocation = world.invoke(package, {})
        assert invocation.error
        assert invocation.error["errorType"] == "KeyError"

    fail.__name__ = f"{package}_raises"
    return fail


def rule_is_disabled(world: World) -> None:
    created, _ = world.subscribe()
    world.deliver(created)
    world.run()


def forwarding_was_gone(world: World) -> None:
    _, updated = world.subscribe()
    world.deliver(updated)
    world.run()


def event_is_lost_at_random(world: World) -> None:
    assert len(world.marketplace.deliver(world.subscribe(), world.deliver, seed=1, lost=0.5)) == 1
    world.run()


def buyer_never_comes(world: World) -> None:
    for arrived in world.subscribe(is_registered=False):
        world.deliver(arrived)
    world.run()


def product_is_new(world: World) -> None:
    world.subscribe(is_registered=False)
    world.forget_products()
    world.run()


def search_is_denied(world: World) -> None:
    world.marketplace.agreements.search_agreements.refuse()
    world.run()


def licenses_are_denied(world: World) -> None:
    world.deliver(*world.subscribe())
    world.marketplace.agreements.get_agreement_entitlements.refuse()
    world.run()


class Case(NamedTuple):
    alarm: str
    fault: Callable[[World], None]
    """Adds one to the metric that the alarm watches."""


CASES = [
    Case("EventsMalformed", message_is_no_event),
    Case("EventsMalformed", message_is_hostile),
    Case("EventsFailed", message_has_no_body),
    Case("AdvisoriesReceived", advisory("Issued")),
    Case("AdvisoriesReceived", advisory("Resolved")),
    Case("EntitlementsRefused", marketplace_denies),
    Case("EntitlementsThrottled", marketplace_throttles),
    Case("SubscriberErrors", raises("subscriber")),
    Case("PublicationsFailed", bus_denies),
    Case("PublicationsFailed", item_is_too_large),
    Case("PublicationsFailed", record_has_no_key),
    Case("PublisherErrors", raises("publisher")),
    Case("EventsMissed", rule_is_disabled),
    Case("EventsMissed", forwarding_was_gone),
    Case("EventsMissed", event_is_lost_at_random),
    Case("AgreementsRefused", search_is_denied),
    Case("AgreementsRefused", licenses_are_denied),
    Case("BuyersLost", buyer_never_comes),
    Case("ProductsUnknown", product_is_new),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.alarm}-{case.fault.__name__}" for case in CASES])
def test_an_alarm_fires_on_its_fault_and_not_on_one_less(world: World, case: Case) -> None:
    (alarm,) = (
        world.cloudwatch.alarms[logical_id]
        for logical_id, name in world.deployed.alarm_names.items()
        if name == case.alarm
    )
    assert alarm.datapoints_to_alarm == 1
    needed = int(alarm.threshold)

    for _ in range(needed - 1):
        case.fault(world)
        assert world.firing() == set()
        world.cloudwatch.advance(alarm.period / needed)
    case.fault(world)

    assert world.cloudwatch.figures(alarm.metric) == [1.0] * needed
    assert world.firing() == {case.alarm}


class Published(NamedTuple):
    """A metric that AWS publishes, with a value that fires an alarm and the largest that does not."""

    alarm: str
    namespace: str
    name: str
    fires: float
    quiet: float | None
    dimensions: dict[str, str]


PUBLISHED = [
    Published("EventsDelayed", "AWS/SQS", "ApproximateAgeOfOldestMessage", 600, 599, {"QueueName": "queue"}),
    Published("EventsDead", "AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, 0, {"QueueName": "dead-events"}),
    Published("EventsUndelivered", "AWS/Events", "FailedInvocations", 1, None, {"RuleName": "rule"}),
    Published("PublicationsDelayed", "AWS/Lambda", "IteratorAge", 600_000, 599_999, {"FunctionName": "publisher"}),
    Published(
        "PublicationsDead", "AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, 0, {"QueueName": "dead-publications"}
    ),
    Published("ReconcilerErrors", "AWS/Lambda", "Errors", 1, None, {"FunctionName": "reconciler"}),
    Published("ForwardingDead", "AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, 0, {"QueueName": "dead-forwarded"}),
    Published("ForwardingFailed", "AWS/Events", "FailedInvocations", 1, None, {"RuleName": "forwarding-rule"}),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=[published.alarm for published in PUBLISHED])
def test_an_alarm_on_a_metric_of_aws_fires_on_a_value_written_by_hand(world: World, published: Published) -> None:
    if published.quiet is not None:
        # Several do not add up to one that is too high.
        for _ in range(3):
            world.value(published.namespace, published.name, published.quiet, **published.dimensions)
    assert world.firing() == set()

    world.value(published.namespace, published.name, published.fires, **published.dimensions)

    assert world.firing() == {published.alarm}


@pytest.mark.parametrize("package", FUNCTIONS)
def test_throttles_that_last_fire_an_alarm_and_those_that_pass_do_not(world: World, package: str) -> None:
    alarm = f"{package.capitalize()}Throttles"
    for _ in range(2):
        world.value("AWS/Lambda", "Throttles", FunctionName=package)
        world.cloudwatch.advance(5 * MINUTE)
    assert world.firing() == set()

    world.value("AWS/Lambda", "Throttles", FunctionName=package)
    assert world.firing() == {alarm}

    world.cloudwatch.advance(5 * MINUTE)
    assert world.firing() == set()


def test_runs_that_do_not_finish_for_three_hours_fire_an_alarm_and_one_that_does_ends_it(world: World) -> None:
    world.cloudwatch.advance(3 * HOUR - 1)
    for outcome in ("unfinished", "incomplete"):
        world.reconcile(outcome)
    assert world.firing() == set()

    world.cloudwatch.advance(1)
    world.reconcile("finished", run="backfill")
    assert world.firing() == {"ReconciliationsLate"}

    world.reconcile("finished")
    assert world.firing() == set()


def test_what_every_run_finds_fires_its_alarm_once(world: World) -> None:
    states = []
    for _ in range(4):
        world.reconcile("finished", "buyer_lost", buyers_lost=1)
        for _ in range(60):
            states.append(world.firing() == {"BuyersLost"})
            world.cloudwatch.advance(MINUTE)

    assert all(states)


def test_what_was_before_the_first_run_fires_no_alarm(world: World) -> None:
    world.tables.delete_item(TableName="reconciliation", Key={NAME: {"S": "position"}})
    world.subscribe(is_registered=False)
    assert (found := world.run())["missed"] == 2
    assert found["buyers_lost"] == 1
    assert world.firing() == set()

    # But that it was denied does.
    world.tables.delete_item(TableName="reconciliation", Key={NAME: {"S": "position"}})
    search_is_denied(world)
    assert world.firing() == {"AgreementsRefused"}


def test_a_backfill_fires_no_alarm(world: World) -> None:
    world.subscribe(is_registered=False)

    assert (found := world.run({"since": "2026-01-01"}))["missed"] == 2
    assert found["buyers_lost"] == 1
    world.marketplace.agreements.search_agreements.refuse()
    assert world.run({"since": "2026-01-01"})["outcome"] == "incomplete"

    assert world.firing() == set()


def test_every_alarm_has_a_fault() -> None:
    others = {f"{package.capitalize()}Throttles" for package in FUNCTIONS} | {"ReconciliationsLate"}
    shown = {case.alarm for case in CASES} | {published.alarm for published in PUBLISHED} | others

    assert shown == {*SIGNALS, *FORWARDING_SIGNALS}


def test_every_alarm_on_a_log_is_fed_by_one_metric_filter(world: World) -> None:
    watched = [
        world.cloudwatch.alarms[logical_id].metric
        for logical_id in world.deployed.alarm_names
        if not world.cloudwatch.alarms[logical_id].metric.namespace.startswith("AWS/")
    ]

    assert watched
    assert {world.cloudwatch.filtered.count(metric) for metric in watched} == {1}


@pytest.mark.parametrize("alarm", ["EventsMalformed", "EntitlementsRefused"])
def test_a_message_that_keeps_failing_does_not_make_its_alarm_fire_again_and_again(world: World, alarm: str) -> None:
    """The queue delivers it every six minutes."""
    fault = next(case.fault for case in CASES if case.alarm == alarm)
    states = []
    for _ in range(4):
        fault(world)
        for _ in range(6):
            states.append(alarm in world.firing())
            world.cloudwatch.advance(MINUTE)

    assert all(states)


def test_an_ordinary_day_fires_no_alarm_even_within_one_period(world: World) -> None:
    unknown = event("Something New - Manufacturer", common({"id": "agmt-1"}))
    lives = [
        agreement_event("Created", **NEW),
        license_event("Updated"),
        license_event("Updated", product_code="other"),
        unknown,
        agreement_event("Ended", status="CANCELLED", time="2026-08-20T14:24:57Z"),
        license_event("Deprovisioned", time="2026-08-20T14:25:28Z"),
        license_event("Updated"),
    ]
    # Each a failure that the next attempt bridges.
    world.entitlements.errors += [(500, "InternalServiceErrorException")] * 3
    unavailable = world.deliver(lives[1])
    world.entitlements.errors += [(400, "ThrottlingException")] * 3
    throttled = world.deliver(lives[1])

    failed = world.deliver(*lives)
    world.bus.errors += ["ThrottlingException"] * 3
    retried = world.change(None, READY)
    published = [world.change(None, READY), world.change(READY, {**READY, "LicenseStatus": "DEPROVISIONED"})]

    world.reconcile("incomplete", "event_stale", "terms_updated", "marketplace_throttled", "marketplace_unavailable")
    world.reconcile("finished", buyers_lost=0, products_unknown=0)

    assert (unavailable, throttled, failed, retried, published) == (1, 1, 0, 1, [0, 0])
    assert world.bus.accepted[-3:] == ["Buyer Registered", "Subscription Ready", "Subscription Ended"]
    assert world.firing() == set()
    # No alarm fired, but everything was counted.
    counted = {name: len(world.cloudwatch.figures(Metric("MarketplaceSubscriptions/subscriber", name))) for name in DAY}
    assert counted == DAY


DAY = {
    "LicensesUpdated": 1,
    "LicensesDeprovisioned": 1,
    "AgreementsRecorded": 2,
    "EventsWithoutEffect": 2,
    "EventsUnknown": 1,
    "EntitlementsUnavailable": 1,
    "EntitlementsThrottled": 1,
    "PublicationsRetried": 1,
    "SubscriptionsReady": 1,
    "SubscriptionsChanged": 0,
    "SubscriptionsEnded": 1,
    "EventsMissed": 0,
    "ReconciliationsFinished": 2,
}
