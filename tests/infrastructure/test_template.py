"""The resources of a seller's stack, by default and with options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from constructs_lib import AlarmName, AlarmSettings, MarketplaceSellerRole
from constructs_lib.registration._resolver import RESOLVER, TIMEOUT_SECONDS
from constructs_lib.registration._signals import SIGNALS
from local.emulated.lambda_runtime import PYTHON
from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver import store
from resolver.settings import Settings
from sdk.registrations import PARTITION_KEY, SORT_KEY
from tests.infrastructure.stacks import only, register, statements

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment(template: Template) -> dict[str, Any]:
    return dict(only(template, "AWS::Lambda::Function")["Environment"]["Variables"])


def test_the_resolver_has_its_runtime_architecture_handler_and_log(minimal_template: Template) -> None:
    minimal_template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Runtime": "python{}.{}".format(*PYTHON),
            "Architectures": ["arm64"],
            "Handler": "resolver.main.handler",
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": Match.any_value()},
        },
    )


def test_claims_need_a_signature_and_registrations_do_not(minimal_template: Template) -> None:
    routes = {
        route["Properties"]["RouteKey"]: route["Properties"]["AuthorizationType"]
        for route in minimal_template.find_resources("AWS::ApiGatewayV2::Route").values()
    }

    of_buyers = {
        f"{method} /register{below}": "NONE" for method in ("GET", "HEAD", "POST") for below in ("", "/{proxy+}")
    }
    assert routes == {**of_buyers, "POST /claim": "AWS_IAM"}


def test_the_stage_is_throttled_and_logs_nothing_that_a_caller_sends(minimal_template: Template) -> None:
    stage = only(minimal_template, "AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20}
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert "$context.requestId" in logged
    assert logged.isdisjoint({"$context.path", "$context.authorizer.error", "$context.integrationErrorMessage"})


def test_the_resolvers_role_allows_its_calls_and_nothing_more(minimal_template: Template) -> None:
    granted = [(statement["Action"], statement["Resource"]) for statement in statements(minimal_template)]

    resources = minimal_template.to_json()["Resources"]
    by_type: dict[str, Any] = {}
    for actions, resource in granted:
        kind = "*" if resource == "*" else resources[resource["Fn::GetAtt"][0]]["Type"]
        by_type.setdefault(kind, []).append(actions)
    assert by_type == {
        "*": ["aws-marketplace:ResolveCustomer"],
        "AWS::Logs::LogGroup": [["logs:CreateLogStream", "logs:PutLogEvents"]],
        "AWS::DynamoDB::GlobalTable": [
            ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        ],
    }


def test_every_granted_action_has_a_service_model_in_the_asset(
    minimal_template: Template, full_template: Template
) -> None:
    prefixes = {"dynamodb": "dynamodb", "meteringmarketplace": "aws-marketplace", "sts": "sts"}
    callable_ = {f"{prefixes[service]}:{name}" for service, names in RESOLVER.operations.items() for name in names}

    granted = {
        action
        for template in (minimal_template, full_template)
        for statement in statements(template)
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    # Lambda writes the log and DynamoDB uses the key, both with the role; the full stack's backend has the others.
    others = ("logs:", "kms:", "execute-api:")
    readers = {action for action in granted if action.startswith("dynamodb:")} - callable_
    assert {a for a in granted if not a.startswith(others)} - readers == callable_
    verbs = ("Get", "BatchGet", "Query", "Scan", "Describe", "ConditionCheck")
    assert all(action.removeprefix("dynamodb:").startswith(verbs) for action in readers)


@pytest.mark.parametrize("template", ["minimal_template", "full_template"])
def test_the_only_wildcard_is_the_one_that_marketplace_requires(template: str, request: pytest.FixtureRequest) -> None:
    for statement in statements(request.getfixturevalue(template)):
        assert "*" not in json.dumps([statement["Action"], statement["Resource"]]).replace(
            '["aws-marketplace:ResolveCustomer", "*"]', ""
        )


def test_with_a_sellers_role_the_resolver_may_assume_it_but_not_call_marketplace_itself(
    full_template: Template,
) -> None:
    everything = list(statements(full_template))

    assert {"Action": "sts:AssumeRole", "Effect": "Allow", "Resource": "arn:aws:iam::444455556666:role/seller"} in (
        everything
    )
    assert "aws-marketplace" not in json.dumps(everything)


def test_the_registrations_table_is_retained_and_the_claims_table_is_not(minimal_template: Template) -> None:
    registrations, claims = minimal_template.find_resources("AWS::DynamoDB::GlobalTable").values()

    assert (registrations["DeletionPolicy"], claims["DeletionPolicy"]) == ("Retain", "Delete")
    (replica,) = registrations["Properties"]["Replicas"]
    assert replica["DeletionProtectionEnabled"]
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert registrations["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert claims["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ExpiresAt", "Enabled": True}


def test_with_destroy_tables_and_logs_are_deleted_with_the_stack(full_template: Template) -> None:
    for kind in ("AWS::DynamoDB::GlobalTable", "AWS::Logs::LogGroup"):
        for resource in full_template.find_resources(kind).values():
            assert resource["DeletionPolicy"] == "Delete"
            for replica in resource["Properties"].get("Replicas", []):
                assert not replica.get("DeletionProtectionEnabled")


def test_logs_are_kept_for_a_year(minimal_template: Template) -> None:
    groups = minimal_template.find_resources("AWS::Logs::LogGroup").values()

    assert [group["Properties"]["RetentionInDays"] for group in groups] == [365, 365]


def test_a_customer_managed_key_encrypts_tables_and_logs(full_template: Template) -> None:
    ((key_id, key),) = full_template.find_resources("AWS::KMS::Key").items()

    for group in full_template.find_resources("AWS::Logs::LogGroup").values():
        assert group["Properties"]["KmsKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
    for table in full_template.find_resources("AWS::DynamoDB::GlobalTable").values():
        assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    principals = json.dumps(key["Properties"]["KeyPolicy"])
    assert "logs.eu-west-1.amazonaws.com" in principals
    (grant,) = (s for s in statements(full_template) if "kms:Decrypt" in s["Action"] and "kms:Encrypt" in s["Action"])
    assert grant["Resource"] == {"Fn::GetAtt": [key_id, "Arn"]}


def test_a_custom_domain_is_the_only_way_in(full_template: Template) -> None:
    full_template.has_resource_properties("AWS::ApiGatewayV2::Api", {"DisableExecuteApiEndpoint": True})


def test_urls_end_with_their_routes(stack: Stack) -> None:
    registration = register(stack)

    fulfillment, claim = stack.resolve([registration.fulfillment_url, registration.claim_url])
    assert fulfillment["Fn::Join"][1][-1] == "/register"
    assert claim["Fn::Join"][1][-1] == "/claim"


def test_a_backend_may_claim_at_this_api_only(stack: Stack) -> None:
    registration = register(stack)
    backend = iam.Role(stack, "Backend", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    registration.grant_claim(backend)

    (grant,) = (s for s in statements(Template.from_stack(stack)) if s["Action"] == "execute-api:Invoke")
    parts = grant["Resource"]["Fn::Join"][1]
    assert parts[-1] == "/$default/POST/claim"
    assert stack.resolve(registration.api.api_id) in parts


def test_a_reader_may_read_the_registrations_table_but_not_write_to_it(stack: Stack) -> None:
    registration = register(stack)
    reader = iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    registration.grant_read(reader)

    (policy,) = (
        p["Properties"]["PolicyDocument"]["Statement"]
        for name, p in Template.from_stack(stack).find_resources("AWS::IAM::Policy").items()
        if name.startswith("Reader")
    )
    actions = {action for statement in policy for action in statement["Action"]}
    assert "dynamodb:Query" in actions
    assert not {action for action in actions if any(verb in action for verb in ("Put", "Update", "Delete", "Write"))}


def test_the_sellers_own_table_is_used(stack: Stack) -> None:
    own = dynamodb.TableV2.from_table_arn(stack, "Own", "arn:aws:dynamodb:eu-west-1:111122223333:table/buyers")

    registration = register(stack, table=own)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::DynamoDB::GlobalTable", 1)
    assert environment(template)["REGISTRATIONS_TABLE"] == "buyers"
    assert registration.table is own


def test_every_alarm_has_the_sellers_actions(stack: Stack) -> None:
    topic = sns.Topic(stack, "Pager")

    registration = register(stack, alarm_actions=[cloudwatch_actions.SnsAction(topic)])

    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    assert len(alarms) == len(registration.alarms)
    for alarm in alarms.values():
        assert alarm["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"
        assert alarm["Properties"]["AlarmDescription"]


def test_every_alarm_exists_by_default_and_says_what_to_do(stack: Stack) -> None:
    alarms = register(stack).alarms

    assert set(alarms) == set(SIGNALS)
    for alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values():
        sentences = alarm["Properties"]["AlarmDescription"].partition(" (docs/runbook.md")[0].split(". ")
        assert len(sentences) == 2
        assert len(alarm["Properties"]["AlarmDescription"]) <= 1024


def test_an_alarm_can_be_changed_or_disabled(stack: Stack) -> None:
    settings: dict[AlarmName, AlarmSettings | None] = {
        "TokensRefused": AlarmSettings(threshold=500, period=Duration.hours(1)),
        "ResolverSlow": AlarmSettings(evaluation_periods=1),
        "ClaimsReadThrottled": None,
    }

    alarms = register(stack, alarm_settings=settings).alarms

    assert "ClaimsReadThrottled" not in alarms
    changed, slow = (
        next(
            alarm["Properties"]
            for logical_id, alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").items()
            if logical_id.startswith(f"RegistrationAlarms{name}")
        )
        for name in ("TokensRefused", "ResolverSlow")
    )
    assert (changed["Threshold"], changed["Period"]) == (500, 3600)
    assert (slow["EvaluationPeriods"], slow["DatapointsToAlarm"]) == (1, 1)


def test_two_constructs_in_one_stack_share_no_metric() -> None:
    stack = Stack(App(), "Stack")
    for construct_id in ("One", "Two"):
        register(stack, construct_id)

    template = Template.from_stack(stack)

    filters = template.find_resources("AWS::Logs::MetricFilter").values()
    # CodesUnclaimed has two filters, one that adds and one that subtracts.
    metrics = {
        json.dumps(
            [
                (t["MetricNamespace"], t["MetricName"], t["MetricValue"])
                for t in f["Properties"]["MetricTransformations"]
            ]
        )
        for f in filters
    }
    assert len(metrics) == len(filters)


def test_metrics_take_counts_and_times_only(minimal_template: Template) -> None:
    for metric_filter in minimal_template.find_resources("AWS::Logs::MetricFilter").values():
        for transformation in metric_filter["Properties"]["MetricTransformations"]:
            assert transformation["MetricValue"] in {"1", "-1", "$.resolve_customer_ms", "$.write_registration_ms"}
            assert "Dimensions" not in transformation


def test_nothing_has_a_physical_name(minimal_template: Template) -> None:
    named = {"TableName", "FunctionName", "RoleName", "LogGroupName", "AlarmName"}
    for resource in minimal_template.to_json()["Resources"].values():
        # A name that is set refers to another resource.
        names = {name: value for name, value in resource.get("Properties", {}).items() if name in named}
        assert all(isinstance(value, dict) for value in names.values())


def test_the_logical_ids_of_stateful_resources_are_a_contract(minimal_template: Template) -> None:
    assert set(minimal_template.find_resources("AWS::DynamoDB::GlobalTable")) == {
        "RegistrationStoreRegistrations3244E77C",
        "RegistrationStoreClaims9234059A",
    }
    assert set(minimal_template.find_resources("AWS::Logs::LogGroup")) == {
        "RegistrationResolverLog827A3CF2",
        "RegistrationAccessLogDC457608",
    }
    # The listing contains the fulfillment URL, which contains the API's ID.
    assert set(minimal_template.find_resources("AWS::ApiGatewayV2::Api")) == {"RegistrationApi57D011AA"}


def test_the_tables_have_the_keys_that_the_resolver_uses(minimal_template: Template) -> None:
    registrations, claims = minimal_template.find_resources("AWS::DynamoDB::GlobalTable").values()

    def keys(table: Mapping[str, Any]) -> list[str]:
        return [key["AttributeName"] for key in table["Properties"]["KeySchema"]]

    assert keys(registrations) == [PARTITION_KEY, SORT_KEY]
    assert keys(claims) == [store.CLAIM_KEY]
    assert claims["Properties"]["TimeToLiveSpecification"]["AttributeName"] == store.CLAIM_EXPIRY


def test_the_resolver_reads_every_variable_that_the_construct_sets(stack: Stack) -> None:
    class Recorded(dict[str, str]):
        def __init__(self, variables: dict[str, str]) -> None:
            super().__init__(variables)
            self.read: set[str] = set()

        def __getitem__(self, name: str) -> str:
            self.read.add(name)
            return super().__getitem__(name)

        def get(self, name: str, default: Any = None) -> Any:
            self.read.add(name)
            return super().get(name, default)

    register(
        stack,
        seller_role=iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::444455556666:role/seller"),
        seller_role_external_id="id",
        support_url="https://example.com/support",
        login_url="https://example.com/login",
        claim_ttl=Duration.minutes(5),
        table=dynamodb.TableV2.from_table_name(stack, "Own", "buyers"),
    )
    variables = Recorded(
        {k: v if isinstance(v, str) else "claims" for k, v in environment(Template.from_stack(stack)).items()}
    )

    settings = Settings.from_environment(variables)

    # SUBSCRIPTIONS is written where subscriptions are used.
    assert variables.read - {"SUBSCRIPTIONS"} == variables.keys()
    assert settings.products == {PRODUCT_CODE: LANDING_PAGE}
    assert settings.claim_ttl.total_seconds() == 300
    assert settings.seller_role_arn == "arn:aws:iam::444455556666:role/seller"


def test_the_time_limit_is_the_one_that_all_calls_end_within(minimal_template: Template) -> None:
    """The arithmetic is a unit test."""
    timeout = only(minimal_template, "AWS::Lambda::Function")["Timeout"]

    assert timeout == TIMEOUT_SECONDS
    assert timeout < 30  # an HTTP API's limit


def test_the_sellers_role_may_redeem_tokens_only() -> None:
    stack = Stack(App(), "Publisher")

    MarketplaceSellerRole(stack, "Role", trusted=iam.AccountPrincipal("111122223333"), external_id="external-id")

    template = Template.from_stack(stack)
    trust = only(template, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Condition"] for statement in trust] == [{"StringEquals": {"sts:ExternalId": "external-id"}}]
    assert [statement["Action"] for statement in statements(template)] == ["aws-marketplace:ResolveCustomer"]


def test_with_destroy_no_table_is_protected_against_deletion(stack: Stack) -> None:
    register(stack, removal_policy=RemovalPolicy.DESTROY)

    tables = Template.from_stack(stack).find_resources("AWS::DynamoDB::GlobalTable").values()
    assert not any(r.get("DeletionProtectionEnabled") for t in tables for r in t["Properties"]["Replicas"])
