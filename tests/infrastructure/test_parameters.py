"""Every parameter: its default, its effect on the template, and a test of its rejected values."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from constructs_lib import AlarmSettings, MarketplaceRegistration
from constructs_lib._marketplace_regions import MARKETPLACE_REGIONS
from constructs_lib.registration._signals import SIGNALS
from local.product import LANDING_PAGE, PRODUCT_CODE
from tests.infrastructure import test_validation
from tests.infrastructure.stacks import only, properties, register, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SELLER_ROLE = "arn:aws:iam::444455556666:role/seller"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/buyers"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:pager"

USE_OF_A_KEY = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
]


@pytest.fixture
def stack() -> Stack:
    # The CDK encrypts a table with a seller's key only if it knows the region.
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="eu-west-1"))


def variable(name: str) -> Callable[[Template], Any]:
    return lambda template: only(template, "AWS::Lambda::Function")["Environment"]["Variables"].get(name)


def granted(template: Template, prefix: str) -> list[tuple[Any, Any]]:
    """Return the granted actions of a service with their resources."""
    return [
        (statement["Action"], statement["Resource"])
        for statement in statements(template)
        if json.dumps(statement["Action"]).strip('["').startswith(prefix)
    ]


def kinds(template: Template, ids: Iterable[str]) -> list[str]:
    resources = template.to_json()["Resources"]
    return [resources[logical_id]["Type"] for logical_id in ids]


def keys_used(template: Template) -> list[Any]:
    """Return the keys of the tables, then of the log groups."""
    tables = [
        replica.get("SSESpecification", {}).get("KMSMasterKeyId")
        for table in properties(template, "AWS::DynamoDB::GlobalTable")
        for replica in table["Replicas"]
    ]
    return [*tables, *(group.get("KmsKeyId") for group in properties(template, "AWS::Logs::LogGroup"))]


def a_domain(stack: Stack) -> apigwv2.DomainName:
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", "arn:aws:acm:eu-west-1:1:certificate/1")
    return apigwv2.DomainName(stack, "Domain", domain_name="marketplace.example.com", certificate=certificate)


# Parameter: how to read it from the template, its default there, another value, and that value in the template.
PARAMETERS: Mapping[str, tuple[Callable[[Template], Any], Any, Callable[[Stack], dict[str, Any]], Any]] = {
    "products": (
        lambda template: json.loads(variable("PRODUCTS")(template)),
        {PRODUCT_CODE: LANDING_PAGE},
        lambda _: {"products": {"one": "https://one.example.com/", "two": "https://two.example.com/?a=b#c"}},
        {"one": "https://one.example.com/", "two": "https://two.example.com/?a=b#c"},
    ),
    "seller_role": (
        lambda template: (
            variable("SELLER_ROLE_ARN")(template),
            granted(template, "sts:"),
            granted(template, "aws-marketplace:"),
        ),
        (None, [], [("aws-marketplace:ResolveCustomer", "*")]),
        lambda stack: {"seller_role": iam.Role.from_role_arn(stack, "Seller", SELLER_ROLE)},
        (SELLER_ROLE, [("sts:AssumeRole", SELLER_ROLE)], []),
    ),
    "seller_role_external_id": (
        variable("SELLER_ROLE_EXTERNAL_ID"),
        None,
        lambda stack: {
            "seller_role": iam.Role.from_role_arn(stack, "Seller", SELLER_ROLE),
            "seller_role_external_id": "a:b/c-d",
        },
        "a:b/c-d",
    ),
    "marketplace_region": (
        variable("MARKETPLACE_REGION"),
        "us-east-1",
        lambda _: {"marketplace_region": "eu-central-1"},
        "eu-central-1",
    ),
    "table": (
        lambda template: (
            len(properties(template, "AWS::DynamoDB::GlobalTable")),
            [action for action, resource in granted(template, "dynamodb:") if resource == TABLE],
        ),
        (2, []),
        lambda stack: {"table": dynamodb.TableV2.from_table_arn(stack, "Own", TABLE)},
        (1, [["dynamodb:GetItem", "dynamodb:UpdateItem"]]),
    ),
    "encryption_key": (
        lambda template: (
            [*keys_used(template), only(template, "AWS::Lambda::Function").get("KmsKeyArn")],
            granted(template, "kms:"),
        ),
        ([None] * 5, []),
        lambda stack: {"encryption_key": kms.Key.from_key_arn(stack, "Key", KEY)},
        ([KEY] * 5, [(USE_OF_A_KEY, KEY)]),
    ),
    "domain": (
        lambda template: (
            only(template, "AWS::ApiGatewayV2::Api").get("DisableExecuteApiEndpoint", False),
            [mapping.get("ApiMappingKey") for mapping in properties(template, "AWS::ApiGatewayV2::ApiMapping")],
        ),
        (False, []),
        lambda stack: {"domain": apigwv2.DomainMappingOptions(domain_name=a_domain(stack), mapping_key="aws")},
        (True, ["aws"]),
    ),
    "keep_execute_api_endpoint": (
        lambda template: only(template, "AWS::ApiGatewayV2::Api").get("DisableExecuteApiEndpoint", False),
        False,
        lambda stack: {
            "domain": apigwv2.DomainMappingOptions(domain_name=a_domain(stack)),
            "keep_execute_api_endpoint": True,
        },
        False,
    ),
    "throttle": (
        lambda template: only(template, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"],
        {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20},
        lambda _: {"throttle": apigwv2.ThrottleSettings(rate_limit=0.5, burst_limit=3)},
        {"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 3},
    ),
    "reserved_concurrent_executions": (
        lambda template: only(template, "AWS::Lambda::Function").get("ReservedConcurrentExecutions"),
        None,
        lambda _: {"reserved_concurrent_executions": 10},
        10,
    ),
    "sdk_ua_app_id": (
        variable("AWS_SDK_UA_APP_ID"),
        None,
        lambda _: {"sdk_ua_app_id": "APN_1.1/pc_a290sds6en72spp3ph4q890es$"},
        "APN_1.1/pc_a290sds6en72spp3ph4q890es$",
    ),
    "claim_ttl": (
        variable("CLAIM_TTL_SECONDS"),
        "600",
        lambda _: {"claim_ttl": Duration.hours(1)},
        "3600",
    ),
    "support_url": (
        variable("SUPPORT_URL"),
        None,
        lambda _: {"support_url": "mailto:support@example.com?subject=AWS%20Marketplace"},
        "mailto:support@example.com?subject=AWS%20Marketplace",
    ),
    "login_url": (
        variable("LOGIN_URL"),
        None,
        lambda _: {"login_url": "https://app.example.com:8443/login"},
        "https://app.example.com:8443/login",
    ),
    "alarm_actions": (
        lambda template: {
            action
            for alarm in properties(template, "AWS::CloudWatch::Alarm")
            for action in alarm.get("AlarmActions", [""])
        },
        {""},
        lambda stack: {
            "alarm_actions": [cloudwatch_actions.SnsAction(sns.Topic.from_topic_arn(stack, "Pager", TOPIC))]
        },
        {TOPIC},
    ),
    "ok_actions": (
        lambda template: {
            action
            for alarm in properties(template, "AWS::CloudWatch::Alarm")
            for action in alarm.get("OKActions", [""])
        },
        {""},
        lambda stack: {"ok_actions": [cloudwatch_actions.SnsAction(sns.Topic.from_topic_arn(stack, "Pager", TOPIC))]},
        {TOPIC},
    ),
    "runbook_url": (
        lambda template: {
            alarm["AlarmDescription"].rpartition(" ")[2]
            for alarm in properties(template, "AWS::CloudWatch::Alarm")
            if alarm["MetricName"] == "Errors"
        },
        {"ResolverErrors)"},
        lambda _: {"runbook_url": "https://wiki.example.com/runbook.md"},
        {"https://wiki.example.com/runbook.md#resolvererrors"},
    ),
    "alarm_settings": (
        lambda template: (
            len(properties(template, "AWS::CloudWatch::Alarm")),
            {a["Threshold"] for a in properties(template, "AWS::CloudWatch::Alarm") if a["MetricName"] == "Errors"},
        ),
        (len(SIGNALS), {1}),
        lambda _: {"alarm_settings": {"ResolverErrors": AlarmSettings(threshold=2), "ResolverSlow": None}},
        (len(SIGNALS) - 1, {2}),
    ),
    "log_retention": (
        lambda template: [group.get("RetentionInDays") for group in properties(template, "AWS::Logs::LogGroup")],
        [365, 365],
        lambda _: {"log_retention": logs.RetentionDays.INFINITE},
        [None, None],
    ),
    "removal_policy": (
        lambda template: [
            resource["DeletionPolicy"]
            for kind in ("AWS::DynamoDB::GlobalTable", "AWS::Logs::LogGroup")
            for resource in template.find_resources(kind).values()
        ],
        ["Retain", "Delete", "Retain", "Retain"],
        lambda _: {"removal_policy": RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE},
        ["RetainExceptOnCreate", "Delete", "RetainExceptOnCreate", "RetainExceptOnCreate"],
    ),
}

# Strings and numbers can be invalid; of these types every value is valid.
NOTHING_TO_REJECT = {"seller_role", "table", "domain", "alarm_actions", "ok_actions", "log_retention"}


def test_every_parameter_is_tested() -> None:
    parameters = set(inspect.signature(MarketplaceRegistration.__init__).parameters) - {"self", "scope", "construct_id"}

    assert PARAMETERS.keys() == parameters
    rejected = {message.partition(":")[0] for message in test_validation.MESSAGES}
    assert rejected == parameters - NOTHING_TO_REJECT


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_an_omitted_parameter_has_its_default(minimal_template: Template, parameter: str) -> None:
    shown, default, _, _ = PARAMETERS[parameter]

    assert shown(minimal_template) == default


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_takes_effect_in_the_template(stack: Stack, parameter: str) -> None:
    shown, _, given, expected = PARAMETERS[parameter]

    register(stack, **given(stack))

    assert shown(Template.from_stack(stack)) == expected


@pytest.mark.parametrize("region", sorted(MARKETPLACE_REGIONS))
def test_an_environment_agnostic_stack_accepts_every_marketplace_region(region: str) -> None:
    stack = Stack(App(), "Anywhere")

    register(stack, marketplace_region=region)

    assert variable("MARKETPLACE_REGION")(Template.from_stack(stack)) == region


def test_a_key_of_the_stack_can_be_used_by_the_resolver_and_the_accounts_logs(stack: Stack) -> None:
    key = kms.Key(stack, "Key")

    register(stack, encryption_key=key)

    template = Template.from_stack(stack)
    arn = stack.resolve(key.key_arn)
    assert keys_used(template) == [arn] * 4
    assert granted(template, "kms:") == [(USE_OF_A_KEY, arn)]
    of_logs = only(template, "AWS::KMS::Key")["KeyPolicy"]["Statement"][-1]
    assert of_logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    (context,) = of_logs["Condition"]["ArnLike"].values()
    assert context["Fn::Join"][1][-1] == ":logs:eu-west-1:111122223333:log-group:*"


def test_the_policy_of_an_imported_key_is_left_to_its_owner(stack: Stack) -> None:
    register(stack, encryption_key=kms.Key.from_key_arn(stack, "Key", KEY))

    assert properties(Template.from_stack(stack), "AWS::KMS::Key") == []


def test_the_key_of_the_sellers_table_is_granted_and_encrypts_nothing_more(stack: Stack) -> None:
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    own = dynamodb.TableV2.from_table_attributes(stack, "Own", table_arn=TABLE, encryption_key=key)

    register(stack, table=own)

    template = Template.from_stack(stack)
    assert granted(template, "kms:") == [(USE_OF_A_KEY, KEY)]
    # It does not encrypt the construct's own resources.
    assert keys_used(template) == [None] * 3


def test_the_key_of_the_sellers_table_and_the_constructs_key_are_both_granted(stack: Stack) -> None:
    own_key = kms.Key.from_key_arn(stack, "OwnKey", KEY.replace("key/1", "key/2"))
    own = dynamodb.TableV2.from_table_attributes(stack, "Own", table_arn=TABLE, encryption_key=own_key)

    register(stack, table=own, encryption_key=kms.Key.from_key_arn(stack, "Key", KEY))

    template = Template.from_stack(stack)
    assert [resource for _, resource in granted(template, "kms:")] == [own_key.key_arn, KEY]
    assert keys_used(template) == [KEY] * 3


def test_a_table_of_the_sellers_stack_is_used_and_not_changed(stack: Stack) -> None:
    def text(name: str) -> dynamodb.Attribute:
        return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

    own = dynamodb.TableV2(
        stack, "Own", partition_key=text("CustomerAWSAccountId"), sort_key=text("ProductLicense"), table_name="buyers"
    )
    before = stack.resolve(own.table_arn)

    register(stack, table=own, removal_policy=RemovalPolicy.DESTROY)

    template = Template.from_stack(stack)
    assert variable("REGISTRATIONS_TABLE")(template) == stack.resolve(own.table_name)
    assert (["dynamodb:GetItem", "dynamodb:UpdateItem"], before) in granted(template, "dynamodb:")
    (mine,) = (
        table
        for table in template.find_resources("AWS::DynamoDB::GlobalTable").values()
        if table["Properties"].get("TableName") == "buyers"
    )
    assert mine["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize(("mapping_key", "path"), [(None, ""), ("aws", "/aws")])
def test_urls_follow_the_domain_with_or_without_a_path(stack: Stack, mapping_key: str | None, path: str) -> None:
    domain = apigwv2.DomainMappingOptions(domain_name=a_domain(stack), mapping_key=mapping_key)

    registration = register(stack, domain=domain)

    template = Template.from_stack(stack)
    name = {"Ref": next(iter(template.find_resources("AWS::ApiGatewayV2::DomainName")))}
    for url, end in ((registration.fulfillment_url, "/register"), (registration.claim_url, "/claim")):
        parts = stack.resolve(url)["Fn::Join"][1]
        written = "".join("marketplace.example.com" if part == name else part for part in parts)
        assert written == f"https://marketplace.example.com{path}{end}"


def test_a_sellers_role_in_the_same_stack_is_assumed(stack: Stack) -> None:
    role = iam.Role(stack, "Seller", assumed_by=iam.AccountPrincipal("111122223333"))

    register(stack, seller_role=role, seller_role_external_id="external-id")

    template = Template.from_stack(stack)
    assert granted(template, "sts:") == [("sts:AssumeRole", stack.resolve(role.role_arn))]
    assert variable("SELLER_ROLE_EXTERNAL_ID")(template) == "external-id"
    assert granted(template, "aws-marketplace:") == []


@pytest.mark.parametrize(
    ("policy", "protected"),
    [
        (RemovalPolicy.RETAIN, True),
        # CloudFormation deletes it when it rolls back a failed first deployment, which protection would prevent.
        (RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, False),
        (RemovalPolicy.DESTROY, False),
    ],
)
def test_a_table_is_protected_against_deletion_only_if_it_is_always_retained(
    stack: Stack, policy: RemovalPolicy, *, protected: bool
) -> None:
    register(stack, removal_policy=policy)

    registrations, _ = properties(Template.from_stack(stack), "AWS::DynamoDB::GlobalTable")
    assert [replica["DeletionProtectionEnabled"] for replica in registrations["Replicas"]] == [protected]
