"""The resources of `MarketplaceSubscriptions`, their permissions, and what the registration gets from it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from constructs_lib import AlarmSettings, MarketplaceSellerRole, MarketplaceSubscriptions
from constructs_lib.subscriptions._functions import (
    PUBLISHER,
    RECONCILER,
    RECONCILER_TIMEOUT_SECONDS,
    SUBSCRIBER,
    TIMEOUT_SECONDS,
)
from constructs_lib.subscriptions._outcomes import EVENTS, PUBLISHED, RECONCILED, RECONCILIATION_COUNTS, UNPUBLISHED
from constructs_lib.subscriptions._signals import RECONCILIATION_SIGNALS, SIGNALS
from local.emulated.lambda_runtime import PYTHON
from local.product import PRODUCT_CODE
from publisher import event_bus as published
from publisher.log_line import OUTCOMES as PUBLISHER_OUTCOMES
from publisher.publications import Kind
from publisher.settings import Settings as PublisherSettings
from reconciler.log_line import COUNTS as RECONCILER_COUNTS
from reconciler.log_line import FINDINGS as RECONCILER_FINDINGS
from reconciler.log_line import OUTCOMES as RECONCILER_OUTCOMES
from reconciler.settings import Settings as ReconcilerSettings
from resolver.settings import Settings as ResolverSettings
from subscriber import marketplace_event
from subscriber.log_line import OUTCOMES as SUBSCRIBER_OUTCOMES
from subscriber.settings import Settings as SubscriberSettings
from subscriptions import product_codes
from tests.infrastructure.checks import synthesize_with_cdk_nag
from tests.infrastructure.stacks import forwarding, full, full_subscriptions, minimal, properties, register, subscribe
from tests.infrastructure.stacks import subscriptions as minimal_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

HERE = Environment(account="111122223333", region="us-east-1")
DAYS = 24 * 60 * 60


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.from_stack(minimal_subscriptions(App()))


@pytest.fixture(scope="module")
def full_template() -> Template:
    return Template.from_stack(full_subscriptions(App()))


def function(template: Template, package: str) -> dict[str, Any]:
    (found,) = (
        each for each in properties(template, "AWS::Lambda::Function") if each["Handler"] == f"{package}.main.handler"
    )
    return found


def statements_of(template: Template, role: str) -> list[dict[str, Any]]:
    """Return the statements of all policies of the one role whose logical id begins so."""
    (logical_id,) = (name for name in template.find_resources("AWS::IAM::Role") if name.startswith(role))
    return [
        statement
        for policy in properties(template, "AWS::IAM::Policy")
        if policy["Roles"] == [{"Ref": logical_id}]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def granted(template: Template, role: str) -> set[tuple[str, str]]:
    """Return the actions that a role may do, each with the logical id or the text of the resource, without hash."""

    def name(resource: Any) -> str:
        match resource:
            case {"Fn::GetAtt": [logical_id, "Arn"]}:
                return str(logical_id)[:-8]
            case {"Fn::GetAtt": [logical_id, attribute]}:
                return f"{logical_id[:-8]}.{attribute}"
            case {"Fn::Join": [_, parts]}:
                return "".join(part if isinstance(part, str) else name(part) for part in parts)
            case {"Ref": reference}:
                return f"<{reference}>"
            case _:
                return str(resource)

    def each() -> Iterator[tuple[str, str]]:
        for statement in statements_of(template, role):
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                yield action, name(statement["Resource"])

    return set(each())


LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TABLE = "RegistrationStoreRegistrations"


# --- The registration alone.


@pytest.mark.parametrize("build", [minimal, full])
def test_a_registration_alone_has_no_trace_of_subscriptions(build: Callable[[App], Stack]) -> None:
    text = json.dumps(Template.from_stack(build(App())).to_json())

    for trace in ("SUBSCRIPTIONS", "dynamodb:Query", "AWS::SQS::Queue", "AWS::Events::Rule", "GetEntitlements"):
        readers = {"dynamodb:Query"} if build is full else set()
        assert trace in readers or trace not in text


def test_subscriptions_change_nothing_of_the_registration_but_what_a_claim_tells() -> None:
    alone, subscribed = Stack(App(), "Stack"), Stack(App(), "Stack")
    register(alone)
    subscribe(subscribed)

    before = Template.from_stack(alone).to_json()["Resources"]
    after = Template.from_stack(subscribed).to_json()["Resources"]

    changed = {name for name in before if before[name] != after[name]}
    policy, resolver = sorted(changed, key=lambda name: "Function" in name)
    assert (before[policy]["Type"], before[resolver]["Type"]) == ("AWS::IAM::Policy", "AWS::Lambda::Function")
    added = [s for s in after[policy]["Properties"]["PolicyDocument"]["Statement"] if "dynamodb:Query" in s["Action"]]
    assert [statement["Action"] for statement in added] == ["dynamodb:Query"]
    variables = after[resolver]["Properties"]["Environment"]["Variables"]
    assert variables.pop("SUBSCRIPTIONS") == "true"
    assert variables == before[resolver]["Properties"]["Environment"]["Variables"]
    assert all(name.startswith("Subscriptions") for name in after.keys() - before.keys())


def test_the_resolver_reads_the_switch() -> None:
    stack = Stack(App(), "Stack")
    subscribe(stack)
    variables = function(Template.from_stack(stack), "resolver")["Environment"]["Variables"]

    settings = ResolverSettings.from_environment({k: v if isinstance(v, str) else "x" for k, v in variables.items()})

    assert settings.subscriptions is True


# --- The way of an event.


def test_the_rule_gets_every_event_of_marketplace_and_delivers_it_to_the_queue(template: Template) -> None:
    (rule,) = (rule for rule in properties(template, "AWS::Events::Rule") if "EventPattern" in rule)
    queue, dead, _ = queues(template)

    assert rule["EventPattern"] == {"source": [marketplace_event.SOURCE]}
    assert rule["EventBusName"] == "default"
    assert rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [dead, "Arn"]}}


def queues(template: Template) -> list[str]:
    found = template.find_resources("AWS::SQS::Queue")
    return [
        next(name for name in found if name[:-8] == f"Subscriptions{queue}")
        for queue in ("Queue", "DeadLetters", "PublisherDeadLetters")
    ]


def test_messages_are_kept_as_long_as_a_queue_can_and_encrypted(template: Template, full_template: Template) -> None:
    for name in queues(template):
        queue = template.find_resources("AWS::SQS::Queue")[name]["Properties"]
        assert queue["MessageRetentionPeriod"] == 14 * DAYS
        assert queue["SqsManagedSseEnabled"] is True
    ((key, _),) = full_template.find_resources("AWS::KMS::Key").items()
    for name in queues(full_template):
        queue = full_template.find_resources("AWS::SQS::Queue")[name]["Properties"]
        assert queue["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}


def test_a_message_is_hidden_for_six_times_the_functions_time_and_given_up_after_ten_attempts(
    template: Template,
) -> None:
    queue, dead, _ = queues(template)
    found = template.find_resources("AWS::SQS::Queue")[queue]["Properties"]

    assert found["VisibilityTimeout"] == 6 * TIMEOUT_SECONDS
    assert found["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 10}


def test_only_this_rule_may_send_to_the_queues_and_only_over_tls(template: Template) -> None:
    rule = next(name for name in template.find_resources("AWS::Events::Rule") if "Schedule" not in name)
    of_rule = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}
    queue, dead, publishers = queues(template)

    allowed: dict[str, list[Any]] = {}
    for policy in properties(template, "AWS::SQS::QueuePolicy"):
        ((reference,),) = (list(each.values()) for each in policy["Queues"])
        denials = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denials] == [{"Bool": {"aws:SecureTransport": "false"}}]
        allowed[reference] = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]

    assert allowed[publishers] == []
    for name in (queue, dead):
        (statement,) = allowed[name]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert (statement["Action"], statement["Condition"]) == ("sqs:SendMessage", of_rule)


def test_eventbridge_may_use_the_key_for_this_account_only(full_template: Template) -> None:
    (key,) = properties(full_template, "AWS::KMS::Key")

    (statement,) = (
        statement
        for statement in key["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    )
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_the_subscriber_reads_the_queue_with_bounded_concurrency_and_partial_responses(template: Template) -> None:
    queue, _, _ = queues(template)

    (mapping,) = (m for m in mappings(template) if m["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]})

    assert mapping["BatchSize"] == 10
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def mappings(template: Template) -> list[dict[str, Any]]:
    return properties(template, "AWS::Lambda::EventSourceMapping")


def test_the_publisher_reads_the_stream_from_its_beginning_and_gives_up_after_two_hours(template: Template) -> None:
    _, _, dead = queues(template)
    (table,) = (name for name in template.find_resources("AWS::DynamoDB::GlobalTable") if name.startswith(TABLE))

    (mapping,) = (m for m in mappings(template) if m["EventSourceArn"] == {"Fn::GetAtt": [table, "StreamArn"]})

    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRecordAgeInSeconds"] == 2 * 60 * 60
    # By age alone: a number of attempts may be over within minutes of an outage.
    assert "MaximumRetryAttempts" not in mapping
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [dead, "Arn"]}}}


def test_the_publishers_mapping_waits_for_its_permission(template: Template) -> None:
    (mapping,) = (
        mapping
        for mapping in template.find_resources("AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in mapping["Properties"]
    )

    assert [name for name in mapping["DependsOn"] if name.startswith("SubscriptionsStream")]


@pytest.mark.parametrize(
    ("package", "seconds"),
    [("subscriber", TIMEOUT_SECONDS), ("publisher", TIMEOUT_SECONDS), ("reconciler", RECONCILER_TIMEOUT_SECONDS)],
)
def test_a_function_has_its_runtime_architecture_time_and_log(template: Template, package: str, seconds: int) -> None:
    found = function(template, package)

    assert found["Runtime"] == "python{}.{}".format(*PYTHON)
    assert found["Architectures"] == ["arm64"]
    assert found["Timeout"] == seconds
    assert found["LoggingConfig"]["LogFormat"] == "JSON"
    assert "ReservedConcurrentExecutions" not in found


# --- Permissions.


def test_the_subscribers_role_allows_its_calls_and_nothing_more(template: Template) -> None:
    consume = {"ReceiveMessage", "ChangeMessageVisibility", "GetQueueUrl", "DeleteMessage", "GetQueueAttributes"}

    assert granted(template, "SubscriptionsSubscriberRole") == {
        *((action, "SubscriptionsSubscriberLog") for action in LOG),
        *((f"sqs:{action}", "SubscriptionsQueue") for action in consume),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:UpdateItem", "SubscriptionsReconciliation"),
        ("aws-marketplace:GetEntitlements", "*"),
    }


def test_the_reconcilers_role_allows_its_calls_and_nothing_more(template: Template) -> None:
    calls = {"GetAgreementEntitlements", "GetEntitlements", "SearchAgreements"}

    assert granted(template, "SubscriptionsReconcilerRole") == {
        *((action, "SubscriptionsReconcilerLog") for action in LOG),
        *((f"dynamodb:{action}", TABLE) for action in ("Query", "Scan", "UpdateItem")),
        *((f"dynamodb:{action}", "SubscriptionsReconciliation") for action in ("Scan", "UpdateItem")),
        *((f"aws-marketplace:{action}", "*") for action in calls),
    }


def test_only_agreements_of_the_sellers_own_may_be_found(template: Template) -> None:
    conditions = {
        statement["Action"]: statement.get("Condition")
        for statement in statements_of(template, "SubscriptionsReconcilerRole")
        if statement["Resource"] == "*"
    }

    assert conditions == {
        "aws-marketplace:SearchAgreements": {
            "StringEquals": {"aws-marketplace:PartyType": "Proposer"},
            "ForAllValues:StringEquals": {"aws-marketplace:AgreementType": "PurchaseAgreement"},
        },
        # Not confirmed: whether it has the agreement's type.
        "aws-marketplace:GetAgreementEntitlements": None,
        "aws-marketplace:GetEntitlements": None,
    }


def test_the_publishers_role_allows_its_calls_and_nothing_more(template: Template) -> None:
    bus = "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/default"

    assert granted(template, "SubscriptionsPublisherRole") == {
        *((action, "SubscriptionsPublisherLog") for action in LOG),
        ("dynamodb:Query", TABLE),
        *((f"dynamodb:{action}", f"{TABLE}.StreamArn") for action in ("DescribeStream", "GetRecords")),
        ("dynamodb:GetShardIterator", f"{TABLE}.StreamArn"),
        ("dynamodb:ListStreams", f"{TABLE}/stream/*"),
        ("events:PutEvents", bus),
        ("sqs:SendMessage", "SubscriptionsPublisherDeadLetters"),
    }


def test_the_publisher_puts_events_of_its_own_source_only(template: Template) -> None:
    (statement,) = (
        statement
        for statement in statements_of(template, "SubscriptionsPublisherRole")
        if statement["Action"] == "events:PutEvents"
    )

    assert statement["Condition"] == {"ForAllValues:StringEquals": {"events:source": published.SOURCE}}


@pytest.mark.parametrize("function", ["Subscriber", "Reconciler"])
def test_with_a_sellers_role_a_function_may_assume_it_but_not_call_marketplace_itself(
    full_template: Template, function: str
) -> None:
    actions = granted(full_template, f"Subscriptions{function}Role")

    assert ("sts:AssumeRole", "arn:aws:iam::444455556666:role/seller") in actions
    assert not [action for action, _ in actions if action.startswith("aws-marketplace:")]


def test_with_a_key_each_function_may_use_it_without_wildcards(full_template: Template) -> None:
    uses = {
        role: {
            action for action, resource in granted(full_template, f"Subscriptions{role}Role") if action[:4] == "kms:"
        }
        for role in ("Subscriber", "Publisher", "Reconciler")
    }

    assert uses["Reconciler"] >= {"kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"}
    assert uses["Publisher"] == {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}
    assert {"kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"} <= uses["Subscriber"]
    assert not [action for actions in uses.values() for action in actions if "*" in action]


@pytest.mark.parametrize("package", ["subscriber", "publisher", "reconciler"])
def test_every_call_of_a_function_has_a_model_and_a_permission(
    template: Template, full_template: Template, package: str
) -> None:
    asset = {"subscriber": SUBSCRIBER, "publisher": PUBLISHER, "reconciler": RECONCILER}[package]
    prefixes = {"marketplace-agreement": "aws-marketplace", "marketplace-entitlement": "aws-marketplace"}
    called = {
        f"{prefixes.get(service, service)}:{name}" for service, names in asset.operations.items() for name in names
    }
    role = f"Subscriptions{package.capitalize()}Role"

    allowed = {action for each in (template, full_template) for action, _ in granted(each, role)}

    assert called <= allowed
    # Lambda itself polls the queue and the stream, and writes what it discards.
    polls = {f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
    assert {action for action in allowed if not action.startswith(("logs:", "kms:", "sqs:"))} - polls == called


def test_the_sellers_role_may_read_entitlements_and_agreements_only_where_it_is_asked_to(template: Template) -> None:
    stack = Stack(App(), "Publishing")
    for construct_id, subscriptions in (("Tokens", False), ("Both", True)):
        MarketplaceSellerRole(
            stack, construct_id, trusted=iam.AccountPrincipal("111122223333"), subscriptions=subscriptions
        )
    publishing = Template.from_stack(stack)
    of_reconciler = [s for s in statements_of(template, "SubscriptionsReconcilerRole") if s["Resource"] == "*"]

    assert granted(publishing, "Tokens") == {("aws-marketplace:ResolveCustomer", "*")}
    allowed = {statement["Action"]: statement for statement in statements_of(publishing, "Both")}
    assert allowed.pop("aws-marketplace:ResolveCustomer")["Resource"] == "*"
    # Those of the reconciler's own role, with their conditions; the subscriber needs no other.
    assert allowed == {statement["Action"]: statement for statement in of_reconciler}


# --- Settings.


class Recorded(dict[str, str]):
    def __init__(self, variables: Mapping[str, Any]) -> None:
        super().__init__({name: value if isinstance(value, str) else "name" for name, value in variables.items()})
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


# The SDK reads it.
SDK = {"AWS_SDK_UA_APP_ID"}


def test_the_subscriber_reads_every_variable_that_the_construct_sets(
    template: Template, full_template: Template
) -> None:
    variables = Recorded(function(full_template, "subscriber")["Environment"]["Variables"])

    settings = SubscriberSettings.from_environment(variables)

    assert variables.read == variables.keys() - SDK
    assert settings.products == {PRODUCT_CODE, "b290sds6en72spp3ph4q890es"}
    assert settings.entitlements_region == "us-east-1"
    assert settings.seller_role_arn == "arn:aws:iam::444455556666:role/seller"
    assert settings.seller_role_external_id == "external-id"
    alone = SubscriberSettings.from_environment(Recorded(function(template, "subscriber")["Environment"]["Variables"]))
    assert alone.products == {PRODUCT_CODE}
    assert alone.seller_role_arn is None


def test_the_publisher_reads_every_variable_that_the_construct_sets(
    template: Template, full_template: Template
) -> None:
    variables = Recorded(function(full_template, "publisher")["Environment"]["Variables"])

    settings = PublisherSettings.from_environment(variables)

    assert variables.read == variables.keys() - SDK
    assert settings.event_bus == "name"
    alone = function(template, "publisher")["Environment"]["Variables"]
    assert alone["EVENT_BUS"] == "default"


@pytest.mark.parametrize(
    ("marketplace_region", "entitlements_region", "region"),
    [
        ("us-east-1", "us-east-1", "us-east-1"),
        ("us-west-2", "us-east-1", "us-east-1"),
        ("cn-northwest-1", "cn-northwest-1", "cn-northwest-1"),
        ("eusc-de-east-1", "eusc-de-east-1", "eusc-de-east-1"),
    ],
)
def test_entitlements_are_read_where_the_partition_has_them(
    marketplace_region: str, entitlements_region: str, region: str
) -> None:
    stack = Stack(App(), "Stack", env=Environment(account="111122223333", region=region))
    subscribe(stack, register(stack, marketplace_region=marketplace_region))

    variables = function(Template.from_stack(stack), "subscriber")["Environment"]["Variables"]

    assert variables["ENTITLEMENTS_REGION"] == entitlements_region


def test_a_region_known_at_deployment_only_reads_entitlements_where_most_sellers_do(stack: Stack) -> None:
    subscribe(stack, register(stack, marketplace_region=stack.region))

    variables = function(Template.from_stack(stack), "subscriber")["Environment"]["Variables"]
    assert variables["ENTITLEMENTS_REGION"] == "us-east-1"


# --- The reconciliation.


def test_the_schedule_runs_the_reconciler_every_hour_with_a_constant_input(template: Template) -> None:
    ((name, rule),) = (
        (name, found["Properties"])
        for name, found in template.find_resources("AWS::Events::Rule").items()
        if "ScheduleExpression" in found["Properties"]
    )
    reconciler = {"Fn::GetAtt": [logical_id_of_reconciler(template), "Arn"]}

    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 hour)", "ENABLED")
    assert rule["Targets"] == [{"Arn": reconciler, "Id": "Target0", "Input": "{}"}]
    (permission,) = (
        each for each in properties(template, "AWS::Lambda::Permission") if each["FunctionName"] == reconciler
    )
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": [name, "Arn"]}


def logical_id_of_reconciler(template: Template) -> str:
    found = template.find_resources("AWS::Lambda::Function")
    return next(name for name in found if name.startswith("SubscriptionsReconciler"))


def test_a_run_that_failed_or_waited_too_long_is_left_to_the_next_one(template: Template) -> None:
    (invocation,) = properties(template, "AWS::Lambda::EventInvokeConfig")

    assert invocation["FunctionName"] == {"Ref": logical_id_of_reconciler(template)}
    assert invocation["MaximumRetryAttempts"] == 0
    assert invocation["MaximumEventAgeInSeconds"] == 60 * 60


def test_the_reconciliations_table_goes_with_the_stack_and_has_the_key(
    template: Template, full_template: Template
) -> None:
    for each in (template, full_template):
        (table,) = (
            table
            for name, table in each.find_resources("AWS::DynamoDB::GlobalTable").items()
            if name.startswith("SubscriptionsReconciliation")
        )
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Delete", "Delete")
        found = table["Properties"]
        assert found["KeySchema"] == [{"AttributeName": product_codes.NAME, "KeyType": "HASH"}]
        assert found["BillingMode"] == "PAY_PER_REQUEST"
        assert "StreamSpecification" not in found
        (replica,) = found["Replicas"]
        # With a key, it is named in the replica.
        assert ("SSESpecification" in replica) is (each is full_template)
        assert not replica.get("DeletionProtectionEnabled")


def test_the_reconciler_has_what_the_subscriber_has_and_its_own_variables(
    template: Template, full_template: Template
) -> None:
    for each, seconds in ((template, "3600"), (full_template, "1800")):
        own = {"AGREEMENTS_REGION": "us-east-1", "LOST_BUYER_DELAY_SECONDS": seconds}
        of_subscriber = function(each, "subscriber")["Environment"]["Variables"]
        assert function(each, "reconciler")["Environment"]["Variables"] == {**of_subscriber, **own}
        assert "Ref" in of_subscriber["RECONCILIATION_TABLE"]


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (Duration.minutes(15), "900"),
        (Duration.hours(24), "86400"),
        (Duration.seconds(Token.as_number({"Ref": "Seconds"})), {"Ref": "Seconds"}),
    ],
    ids=["shortest", "longest", "token"],
)
def test_the_delay_of_a_lost_buyer_is_counted_in_seconds(stack: Stack, delay: Duration, seconds: object) -> None:
    CfnParameter(stack, "Seconds", type="Number")
    subscribe(stack, lost_buyer_delay=delay)

    variables = function(Template.from_stack(stack), "reconciler")["Environment"]["Variables"]

    assert variables["LOST_BUYER_DELAY_SECONDS"] == seconds


@pytest.mark.parametrize(
    ("region", "agreements_region"), [("us-east-1", "us-east-1"), ("eusc-de-east-1", "eusc-de-east-1")]
)
def test_agreements_are_found_where_the_partition_has_them(region: str, agreements_region: str) -> None:
    stack = Stack(App(), "Stack", env=Environment(account="111122223333", region=region))
    subscribe(stack, register(stack, marketplace_region=region))

    variables = function(Template.from_stack(stack), "reconciler")["Environment"]["Variables"]

    assert variables["AGREEMENTS_REGION"] == agreements_region


def test_a_region_known_at_deployment_only_finds_agreements_where_most_sellers_do(stack: Stack) -> None:
    subscribe(stack, register(stack, marketplace_region=stack.region))

    variables = function(Template.from_stack(stack), "reconciler")["Environment"]["Variables"]
    assert variables["AGREEMENTS_REGION"] == "us-east-1"


def in_china() -> MarketplaceSubscriptions:
    stack = Stack(App(), "Stack", env=Environment(account="111122223333", region="cn-northwest-1"))
    return subscribe(stack, register(stack, marketplace_region="cn-northwest-1"))


@pytest.mark.parametrize(
    "make",
    [
        in_china,
        lambda: subscribe(Stack(App(), "Stack"), reconciliation=False),
    ],
    ids=["china", "false"],
)
def test_without_reconciliation_there_is_no_trace_of_it(make: Callable[[], MarketplaceSubscriptions]) -> None:
    subscribed = make()

    assert (subscribed.reconciler, subscribed.reconciler_log_group) == (None, None)
    assert (subscribed.schedule, subscribed.reconciliation_table) == (None, None)
    assert subscribed.alarms.keys() == SIGNALS.keys() - RECONCILIATION_SIGNALS.keys()
    text = json.dumps(Template.from_stack(Stack.of(subscribed)).to_json())
    for trace in ("econcil", "SearchAgreements", "dynamodb:Scan", "rate(", "EventInvokeConfig", "LOST_BUYER"):
        assert trace not in text


def test_without_reconciliation_its_metrics_are_rejected(stack: Stack) -> None:
    subscribed = subscribe(stack, reconciliation=False)

    with pytest.raises(ValueError, match=r"^name: must be one of LicensesUpdated, .*, got 'EventsMissed'$"):
        subscribed.metric_events_missed()
    with pytest.raises(ValueError, match=r"^reconciliation: there is no reconciler$"):
        subscribed.metric_reconciler_errors()


def test_the_reconciliation_changes_nothing_else_but_what_the_subscriber_records() -> None:
    without, reconciled = Stack(App(), "Stack"), Stack(App(), "Stack")
    subscribe(without, reconciliation=False)
    subscribe(reconciled)

    before = Template.from_stack(without).to_json()["Resources"]
    after = Template.from_stack(reconciled).to_json()["Resources"]

    changed = [name[:-8] for name in before if before[name] != after.get(name)]
    assert sorted(changed) == ["SubscriptionsSubscriberFunction", "SubscriptionsSubscriberRoleDefaultPolicy"]
    added = {name[:-8] for name in after.keys() - before.keys()}
    assert all(
        name.startswith(("SubscriptionsReconcil", "SubscriptionsSchedule", "SubscriptionsLostBuyers"))
        or name.removeprefix("SubscriptionsAlarms") in RECONCILIATION_SIGNALS
        or name.removeprefix("SubscriptionsOutcomes") in {*RECONCILED, *RECONCILIATION_COUNTS}
        for name in added
    )


def test_no_backfill_is_counted_and_of_the_first_run_only_how_it_ended(template: Template) -> None:
    patterns = {
        metric["MetricTransformations"][0]["MetricName"]: (
            metric["FilterPattern"],
            metric["MetricTransformations"][0]["MetricValue"],
        )
        for metric in properties(template, "AWS::Logs::MetricFilter")
        if "Reconciler" in str(metric["LogGroupName"])
    }

    assert patterns == {
        "EventsMissed": (
            '{ ($.run = "hourly") && (($.outcome = "license_missed") || ($.outcome = "agreement_missed")) }',
            "1",
        ),
        "AgreementsRefused": (
            '{ (($.run = "hourly") || ($.run = "first")) && ($.outcome = "marketplace_refused") }',
            "1",
        ),
        "ReconciliationsFinished": ('{ (($.run = "hourly") || ($.run = "first")) && ($.outcome = "finished") }', "1"),
        "BuyersLost": ('{ ($.run = "hourly") && ($.buyers_lost = *) }', "$.buyers_lost"),
        "ProductsUnknown": ('{ ($.run = "hourly") && ($.products_unknown = *) }', "$.products_unknown"),
    }


def test_an_alarm_fires_if_no_run_has_finished_for_three_hours_and_the_others_on_too_much(template: Template) -> None:
    alarms = {
        name.removeprefix("SubscriptionsAlarms")[:-8]: alarm["Properties"]
        for name, alarm in template.find_resources("AWS::CloudWatch::Alarm").items()
        if name.startswith("Subscriptions")
    }
    compared = {
        name: (
            alarm["ComparisonOperator"],
            alarm["TreatMissingData"],
            alarm["Threshold"],
            alarm["Period"] / 3600,
            alarm["EvaluationPeriods"],
            alarm["Statistic"],
        )
        for name, alarm in alarms.items()
        if name in RECONCILIATION_SIGNALS
    }
    too_much = ("GreaterThanOrEqualToThreshold", "notBreaching", 1)

    assert compared == {
        "EventsMissed": (*too_much, 1, 1, "Sum"),
        "BuyersLost": (*too_much, 2, 1, "Maximum"),
        "ProductsUnknown": (*too_much, 2, 1, "Maximum"),
        "AgreementsRefused": (*too_much, 2, 1, "Sum"),
        "ReconcilerErrors": (*too_much, 1, 1, "Sum"),
        "ReconciliationsLate": ("LessThanThreshold", "breaching", 1, 1, 3, "Sum"),
    }
    assert all(alarms[name]["DatapointsToAlarm"] == alarms[name]["EvaluationPeriods"] for name in compared)


def test_the_reconciler_reads_every_variable_that_the_construct_sets(
    template: Template, full_template: Template
) -> None:
    variables = Recorded(function(full_template, "reconciler")["Environment"]["Variables"])

    settings = ReconcilerSettings.from_environment(variables)

    assert variables.read == variables.keys() - SDK
    assert settings.seller_role_arn == "arn:aws:iam::444455556666:role/seller"
    assert settings.lost_buyer_delay == timedelta(minutes=30)
    alone = ReconcilerSettings.from_environment(Recorded(function(template, "reconciler")["Environment"]["Variables"]))
    assert alone.products == {PRODUCT_CODE}
    assert alone.seller_role_arn is None


def test_what_is_counted_of_the_reconciliation_is_logged() -> None:
    counted = {outcome for outcomes in RECONCILED.values() for outcome in outcomes}

    assert counted <= {*RECONCILER_FINDINGS, *RECONCILER_OUTCOMES}
    assert {*RECONCILIATION_COUNTS.values()} <= {*RECONCILER_COUNTS}


# --- The seller's rules.


def test_each_rule_is_for_one_kind_of_one_registration() -> None:
    stack = Stack(App(), "Stack")
    subscribed = subscribe(stack)
    target = targets.SqsQueue(sqs.Queue(stack, "Mine"))
    makes = [subscribed.on_registered, subscribed.on_ready, subscribed.on_changed, subscribed.on_ended]

    # Also with the ids of the construct's own parts.
    rules = [
        make(construct_id, target=target)
        for make, construct_id in zip(makes, ("Queue", "Rule", "Publisher", "Alarms"), strict=True)
    ]

    template = Template.from_stack(stack)
    kinds = []
    for rule in rules:
        found = template.find_resources("AWS::Events::Rule")[stack.resolve(rule.rule_name)["Ref"]]["Properties"]
        assert found["EventPattern"]["source"] == [published.SOURCE]
        assert found["EventPattern"]["resources"] == [stack.resolve(subscribed._registration.table.table_arn)]
        assert len(found["Targets"]) == 1
        kinds += found["EventPattern"]["detail-type"]
    assert kinds == list(get_args(Kind))


def test_a_rule_may_get_its_target_later_and_has_its_description(stack: Stack) -> None:
    rule = subscribe(stack).on_ready("Provision", description="Gives the buyer access")
    assert isinstance(rule, events.Rule)

    rule.add_target(targets.SqsQueue(sqs.Queue(stack, "Mine")))

    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::Rule", {"Description": "Gives the buyer access", "EventBusName": "default"}
    )


def test_a_bus_of_the_sellers_gets_the_publications_and_has_the_rules(full_template: Template) -> None:
    (bus,) = (name for name in full_template.find_resources("AWS::Events::EventBus") if name.startswith("Product"))
    (of_marketplace,) = (
        name for name in full_template.find_resources("AWS::Events::EventBus") if name.startswith("MarketplaceEvents")
    )

    rules = properties(full_template, "AWS::Events::Rule")
    by_bus = [rule["EventBusName"] for rule in rules if "EventPattern" in rule]

    assert function(full_template, "publisher")["Environment"]["Variables"]["EVENT_BUS"] == {"Ref": bus}
    assert sorted(by_bus, key=str) == sorted([{"Ref": of_marketplace}, *[{"Ref": bus}] * 4], key=str)
    assert ("events:PutEvents", bus[:-8]) in granted(full_template, "SubscriptionsPublisherRole")


def test_two_registrations_fit_into_one_stack_and_do_not_mix() -> None:
    stack = Stack(App(), "Stack")
    for name in ("One", "Two"):
        subscribed = MarketplaceSubscriptions(stack, f"{name}Subscriptions", registration=register(stack, name))
        subscribed.on_ready("Provision")
    template = Template.from_stack(stack)

    patterns = [
        json.dumps(rule["EventPattern"]["resources"])
        for rule in properties(template, "AWS::Events::Rule")
        if "detail-type" in rule.get("EventPattern", {})
    ]
    assert len(set(patterns)) == 2
    filters = properties(template, "AWS::Logs::MetricFilter")
    metrics = [json.dumps([f["MetricTransformations"][0][n] for n in METRIC]) for f in filters]
    assert len(set(metrics)) == len(filters)


METRIC = ("MetricNamespace", "MetricName", "MetricValue")


# --- The table.


def table_parameters(**parameters: Any) -> dict[str, Any]:
    text = dynamodb.AttributeType.STRING
    return {
        "partition_key": dynamodb.Attribute(name="CustomerAWSAccountId", type=text),
        "sort_key": dynamodb.Attribute(name="ProductLicense", type=text),
        **parameters,
    }


STREAM = "arn:aws:dynamodb:us-east-1:111122223333:table/buyers/stream/2026-01-01T00:00:00.000"


@pytest.mark.parametrize(
    "make",
    [
        lambda stack: dynamodb.TableV2.from_table_attributes(
            stack,
            "Own",
            table_arn=STREAM.partition("/stream/")[0],
            table_stream_arn=STREAM,
            encryption_key=kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:111122223333:key/1"),
        ),
        lambda stack: dynamodb.TableV2(
            stack, "Own", **table_parameters(dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        ),
        lambda stack: dynamodb.Table(
            stack, "Own", **table_parameters(stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        ),
    ],
    ids=["imported", "table", "older-table"],
)
def test_a_table_of_the_sellers_with_a_stream_is_read(make: Callable[[Stack], Any]) -> None:
    stack = Stack(App(), "Stack", env=HERE)
    own = make(stack)

    subscribe(stack, register(stack, table=own))

    template = Template.from_stack(stack)
    assert stack.resolve(own.table_stream_arn) in [mapping["EventSourceArn"] for mapping in mappings(template)]
    if own.encryption_key:
        key = "arn:aws:kms:us-east-1:111122223333:key/1"
        assert ("kms:Decrypt", key) in granted(template, "SubscriptionsPublisherRole")
        assert ("kms:Encrypt", key) in granted(template, "SubscriptionsSubscriberRole")


def test_cdk_nag_reports_no_finding_with_a_table_imported_by_its_name(tmp_path: Path) -> None:
    def build(app: App) -> None:
        stack = Stack(app, "Stack")
        own = dynamodb.TableV2.from_table_attributes(stack, "Own", table_name="buyers", table_stream_arn=STREAM)
        subscribe(stack, register(stack, table=own))

    synthesize_with_cdk_nag(build, tmp_path)


# --- Attributes.


@pytest.mark.parametrize(
    ("name_of", "logical_id"),
    [
        (lambda subscribed: subscribed.rule.rule_name, r"SubscriptionsRule\w{8}"),
        (lambda subscribed: subscribed.queue.queue_url, r"SubscriptionsQueue\w{8}"),
        (lambda subscribed: subscribed.dead_letter_queue.queue_url, r"SubscriptionsDeadLetters\w{8}"),
        (
            lambda subscribed: subscribed.publisher_dead_letter_queue.queue_url,
            r"SubscriptionsPublisherDeadLetters\w{8}",
        ),
        (lambda subscribed: subscribed.subscriber.function_name, r"SubscriptionsSubscriberFunction\w{8}"),
        (lambda subscribed: subscribed.publisher.function_name, r"SubscriptionsPublisherFunction\w{8}"),
        (lambda subscribed: subscribed.subscriber_log_group.log_group_name, r"SubscriptionsSubscriberLog\w{8}"),
        (lambda subscribed: subscribed.publisher_log_group.log_group_name, r"SubscriptionsPublisherLog\w{8}"),
        (lambda subscribed: subscribed.reconciler.function_name, r"SubscriptionsReconcilerFunction\w{8}"),
        (lambda subscribed: subscribed.reconciler_log_group.log_group_name, r"SubscriptionsReconcilerLog\w{8}"),
        (lambda subscribed: subscribed.reconciliation_table.table_name, r"SubscriptionsReconciliation\w{8}"),
        (lambda subscribed: subscribed.schedule.rule_name, r"SubscriptionsSchedule\w{8}"),
    ],
    ids=[
        "rule",
        "queue",
        "dead",
        "dead-publications",
        "subscriber",
        "publisher",
        "subscriber-log",
        "publisher-log",
        "reconciler",
        "reconciler-log",
        "reconciliation-table",
        "schedule",
    ],
)
def test_an_attribute_is_the_resource_that_it_names(name_of: Callable[[Any], str], logical_id: str) -> None:
    stack = Stack(App(), "Stack")

    reference = stack.resolve(name_of(subscribe(stack)))

    assert re.fullmatch(logical_id, reference["Ref"])


def test_the_buses_are_those_that_were_given_or_the_default_one(stack: Stack) -> None:
    arrivals, publications = events.EventBus(stack, "Arrivals"), events.EventBus(stack, "Publications")

    subscribed = subscribe(stack, event_bus=arrivals, publication_event_bus=publications)
    default = subscribe(Stack(App(), "Other"))

    assert (subscribed.event_bus, subscribed.publication_event_bus) == (arrivals, publications)
    assert default.event_bus.event_bus_name == default.publication_event_bus.event_bus_name == "default"


@pytest.mark.parametrize("name", [*EVENTS, *UNPUBLISHED, *PUBLISHED, *RECONCILED])
def test_a_count_by_name_is_the_metric_of_the_named_method(stack: Stack, name: str) -> None:
    subscribed = subscribe(stack)
    method = "metric" + re.sub("(?=[A-Z])", "_", name).lower()

    by_name, by_method = subscribed.metric(name), getattr(subscribed, method)(label="Label")

    assert (by_name.metric_name, by_name.statistic) == (by_method.metric_name, by_method.statistic) == (name, "Sum")
    assert stack.resolve(by_name.namespace) == stack.resolve(by_method.namespace)
    assert by_method.label == "Label"


@pytest.mark.parametrize("name", RECONCILIATION_COUNTS)
def test_a_count_of_a_run_is_a_value_of_which_the_highest_is_taken(stack: Stack, name: str) -> None:
    subscribed = subscribe(stack)
    method = "metric" + re.sub("(?=[A-Z])", "_", name).lower()

    metric = getattr(subscribed, method)()

    assert (metric.metric_name, metric.statistic) == (name, "Maximum")
    assert stack.resolve(metric.namespace) == stack.resolve(subscribed.metric("EventsMissed").namespace)


def test_an_unknown_metric_name_is_rejected(stack: Stack) -> None:
    with pytest.raises(ValueError, match=r"^name: must be one of LicensesUpdated, .*, got 'Registrations'$"):
        subscribe(stack).metric("Registrations")


# --- Logs and alarms.


def test_every_outcome_of_both_functions_is_counted_once() -> None:
    counted = [outcome for outcomes in EVENTS.values() for outcome in outcomes]
    assert sorted(counted) == sorted(SUBSCRIBER_OUTCOMES)

    counted = [outcome for outcomes in UNPUBLISHED.values() for outcome in outcomes]
    assert sorted(counted) == sorted({*PUBLISHER_OUTCOMES} - {"published"})
    # Registrations have a metric of their own.
    assert {*PUBLISHED.values()} == {*get_args(Kind)} - {"Buyer Registered"}


def test_every_alarm_exists_by_default_and_says_what_to_do(stack: Stack) -> None:
    alarms = subscribe(stack).alarms

    assert set(alarms) == set(SIGNALS)
    for name, alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").items():
        if name.startswith("Subscriptions"):
            description = alarm["Properties"]["AlarmDescription"]
            assert len(description.partition(" (docs/runbook.md")[0].split(". ")) == 2, description


def test_an_alarm_can_be_changed_or_disabled(stack: Stack) -> None:
    subscribed = subscribe(
        stack, alarm_settings={"EventsDelayed": AlarmSettings(threshold=60), "PublisherThrottles": None}
    )

    assert subscribed.alarms.keys() == SIGNALS.keys() - {"PublisherThrottles"}
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"MetricName": "ApproximateAgeOfOldestMessage", "Threshold": 60}
    )


def test_alarms_have_the_registrations_actions_and_runbook(full_template: Template) -> None:
    alarms = {
        name: alarm["Properties"]
        for name, alarm in full_template.find_resources("AWS::CloudWatch::Alarm").items()
        if name.startswith("Subscriptions")
    }

    assert len(alarms) == len(SIGNALS) - 1
    for alarm in alarms.values():
        assert len(alarm["AlarmActions"]) == len(alarm["OKActions"]) == 1
        assert "Runbook: https://wiki.example.com/runbook#" in alarm["AlarmDescription"]


def of_undelivered(template: Template) -> dict[str, Any]:
    (alarm,) = (
        alarm for alarm in properties(template, "AWS::CloudWatch::Alarm") if alarm["MetricName"] == "FailedInvocations"
    )
    return {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}


def test_undelivered_events_are_counted_under_the_dimensions_of_the_rules_bus(
    template: Template, full_template: Template
) -> None:
    assert of_undelivered(template).keys() == {"RuleName"}
    on_its_own_bus = of_undelivered(full_template)
    assert on_its_own_bus.keys() == {"EventBusName", "RuleName"}
    # A reference to a rule on such a bus is "bus|rule".
    assert "Fn::Select" in on_its_own_bus["RuleName"]


def test_the_registrations_retention_and_policy_hold_for_the_logs(full_template: Template) -> None:
    groups = {
        name: group
        for name, group in full_template.find_resources("AWS::Logs::LogGroup").items()
        if name.startswith("Subscriptions")
    }

    assert len(groups) == 3
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == 731
        assert group["DeletionPolicy"] == "Delete"
        assert "KmsKeyId" in group["Properties"]


def test_nothing_has_a_physical_name(template: Template) -> None:
    named = {"TableName", "FunctionName", "RoleName", "LogGroupName", "AlarmName", "QueueName", "Name"}
    for logical_id, resource in template.to_json()["Resources"].items():
        if logical_id.startswith("Subscriptions"):
            names = {name: value for name, value in resource.get("Properties", {}).items() if name in named}
            assert all(isinstance(value, dict) for value in names.values())


# --- The forwarding.


def test_the_forwarding_puts_every_event_of_marketplace_on_the_other_bus_with_its_own_role() -> None:
    template = Template.from_stack(forwarding(App()))
    bus = "arn:aws:events:eu-west-1:111122223333:event-bus/marketplace"

    (rule,) = properties(template, "AWS::Events::Rule")
    (queue,) = template.find_resources("AWS::SQS::Queue")
    (role,) = template.find_resources("AWS::IAM::Role")
    assert rule["EventPattern"] == {"source": [marketplace_event.SOURCE]}
    assert "EventBusName" not in rule
    assert rule["Targets"] == [
        {
            "Arn": bus,
            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": [queue, "Arn"]}},
            "Id": "Target0",
            "RoleArn": {"Fn::GetAtt": [role, "Arn"]},
        }
    ]
    assert granted(template, "ForwardingRole") == {("events:PutEvents", bus)}


def test_the_forwarding_keeps_what_it_could_not_forward_and_alarms() -> None:
    template = Template.from_stack(forwarding(App()))

    (queue,) = properties(template, "AWS::SQS::Queue")
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == (14 * DAYS, True)
    alarms = properties(template, "AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms} == {"ApproximateNumberOfMessagesVisible", "FailedInvocations"}
    for alarm in alarms:
        assert len(alarm["AlarmActions"]) == len(alarm["OKActions"]) == 1
        assert "Runbook: https://wiki.example.com/runbook#forwardingdead-forwardingfailed" in alarm["AlarmDescription"]


def test_the_attributes_of_the_forwarding_are_its_resources() -> None:
    stack = forwarding(App())
    construct: Any = stack.node.find_child("Forwarding")

    named = {
        "Rule": construct.rule.rule_name,
        "Role": construct.role.role_name,
        "DeadLetters": construct.dead_letter_queue.queue_url,
    }
    for name, value in named.items():
        assert re.fullmatch(rf"Forwarding{name}\w{{8}}", stack.resolve(value)["Ref"])
    assert list(construct.alarms) == ["ForwardingDead", "ForwardingFailed"]
