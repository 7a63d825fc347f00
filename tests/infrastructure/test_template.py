"""What a seller's stack gets, by default and on request."""

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

from constructs_lib import AlarmName, AlarmSettings, MarketplaceRegistration, MarketplaceSellerRole
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.registration._signals import SIGNALS
from local.emulated.lambda_runtime import PYTHON
from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver import store
from resolver.settings import Settings
from sdk import time_limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.config import Config


def register(stack: Stack, **parameters: Any) -> MarketplaceRegistration:
    return MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, **parameters)


def statements(template: Template) -> Iterator[dict[str, Any]]:
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def only(template: Template, kind: str) -> dict[str, Any]:
    (resource,) = template.find_resources(kind).values()
    return dict(resource["Properties"])


def environment(template: Template) -> dict[str, Any]:
    return dict(only(template, "AWS::Lambda::Function")["Environment"]["Variables"])


def test_the_resolver_runs_as_designed(minimal_template: Template) -> None:
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


def test_the_stage_is_throttled_and_logged_without_anything_a_caller_sends(minimal_template: Template) -> None:
    stage = only(minimal_template, "AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20}
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert "$context.requestId" in logged
    assert logged.isdisjoint({"$context.path", "$context.authorizer.error", "$context.integrationErrorMessage"})


def test_the_resolver_may_do_what_it_does_and_nothing_else(minimal_template: Template) -> None:
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


def test_no_action_is_granted_that_the_resolver_has_no_model_to_call(
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

    # Lambda writes the log, DynamoDB uses the key, both in the role's name; the rest are the full stack's backend's.
    others = ("logs:", "kms:", "execute-api:")
    readers = {action for action in granted if action.startswith("dynamodb:")} - callable_
    assert {a for a in granted if not a.startswith(others)} - readers == callable_
    verbs = ("Get", "BatchGet", "Query", "Scan", "Describe", "ConditionCheck")
    assert all(action.removeprefix("dynamodb:").startswith(verbs) for action in readers)


@pytest.mark.parametrize("template", ["minimal_template", "full_template"])
def test_the_one_wildcard_is_the_one_that_marketplace_forces(template: str, request: pytest.FixtureRequest) -> None:
    for statement in statements(request.getfixturevalue(template)):
        assert "*" not in json.dumps([statement["Action"], statement["Resource"]]).replace(
            '["aws-marketplace:ResolveCustomer", "*"]', ""
        )


def test_with_a_sellers_role_the_resolver_assumes_it_and_has_no_marketplace_permission_of_its_own(
    full_template: Template,
) -> None:
    everything = list(statements(full_template))

    assert {"Action": "sts:AssumeRole", "Effect": "Allow", "Resource": "arn:aws:iam::444455556666:role/seller"} in (
        everything
    )
    assert "aws-marketplace" not in json.dumps(everything)


def test_registrations_are_kept_whatever_happens_and_claims_are_not(minimal_template: Template) -> None:
    registrations, claims = minimal_template.find_resources("AWS::DynamoDB::GlobalTable").values()

    assert (registrations["DeletionPolicy"], claims["DeletionPolicy"]) == ("Retain", "Delete")
    (replica,) = registrations["Properties"]["Replicas"]
    assert replica["DeletionProtectionEnabled"]
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert registrations["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert claims["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ExpiresAt", "Enabled": True}


def test_what_the_seller_wants_removed_goes_with_the_stack(full_template: Template) -> None:
    for kind in ("AWS::DynamoDB::GlobalTable", "AWS::Logs::LogGroup"):
        for resource in full_template.find_resources(kind).values():
            assert resource["DeletionPolicy"] == "Delete"
            for replica in resource["Properties"].get("Replicas", []):
                assert not replica.get("DeletionProtectionEnabled")


def test_logs_are_kept_for_a_year(minimal_template: Template) -> None:
    groups = minimal_template.find_resources("AWS::Logs::LogGroup").values()

    assert [group["Properties"]["RetentionInDays"] for group in groups] == [365, 365]


def test_a_customer_managed_key_encrypts_tables_and_logs_and_logs_may_use_it(full_template: Template) -> None:
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


def test_urls_follow_the_stage_or_the_domain(stack: Stack) -> None:
    registration = register(stack)

    fulfillment, claim = stack.resolve([registration.fulfillment_url, registration.claim_url])
    assert fulfillment["Fn::Join"][1][-1] == "/register"
    assert claim["Fn::Join"][1][-1] == "/claim"


def test_the_backend_may_claim_at_this_api_only(stack: Stack) -> None:
    registration = register(stack)
    backend = iam.Role(stack, "Backend", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    registration.grant_claim(backend)

    (grant,) = (s for s in statements(Template.from_stack(stack)) if s["Action"] == "execute-api:Invoke")
    parts = grant["Resource"]["Fn::Join"][1]
    assert parts[-1] == "/$default/POST/claim"
    assert stack.resolve(registration.api.api_id) in parts


def test_a_reader_may_read_the_registrations_and_not_write(stack: Stack) -> None:
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


def test_a_table_of_the_sellers_own_is_used(stack: Stack) -> None:
    own = dynamodb.TableV2.from_table_arn(stack, "Own", "arn:aws:dynamodb:eu-west-1:111122223333:table/buyers")

    registration = register(stack, table=own)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::DynamoDB::GlobalTable", 1)
    assert environment(template)["REGISTRATIONS_TABLE"] == "buyers"
    assert registration.table is own


def test_every_alarm_does_what_the_seller_wants(stack: Stack) -> None:
    topic = sns.Topic(stack, "Pager")

    registration = register(stack, alarm_actions=[cloudwatch_actions.SnsAction(topic)])

    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    assert len(alarms) == len(registration.alarms)
    for alarm in alarms.values():
        assert alarm["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"
        assert alarm["Properties"]["AlarmDescription"]


def test_every_alarm_is_made_by_default_and_tells_what_to_do(stack: Stack) -> None:
    alarms = register(stack).alarms

    assert set(alarms) == set(SIGNALS)
    for alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values():
        sentences = alarm["Properties"]["AlarmDescription"].partition(" (docs/runbook.md")[0].split(". ")
        assert len(sentences) == 2
        assert len(alarm["Properties"]["AlarmDescription"]) <= 1024


def test_an_alarm_can_be_changed_or_left_out(stack: Stack) -> None:
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


def test_two_registrations_in_one_stack_share_neither_ids_nor_figures() -> None:
    stack = Stack(App(), "Stack")
    for construct_id in ("One", "Two"):
        MarketplaceRegistration(stack, construct_id, products={PRODUCT_CODE: LANDING_PAGE})

    template = Template.from_stack(stack)

    filters = template.find_resources("AWS::Logs::MetricFilter").values()
    figures = {
        json.dumps([(t["MetricNamespace"], t["MetricName"]) for t in f["Properties"]["MetricTransformations"]])
        for f in filters
    }
    assert len(figures) == len(filters)


def test_metrics_count_and_carry_nothing_of_a_request(minimal_template: Template) -> None:
    for metric_filter in minimal_template.find_resources("AWS::Logs::MetricFilter").values():
        for transformation in metric_filter["Properties"]["MetricTransformations"]:
            assert transformation["MetricValue"] in {"1", "$.resolve_customer_ms", "$.write_registration_ms"}
            assert "Dimensions" not in transformation


def test_nothing_has_a_physical_name(minimal_template: Template) -> None:
    named = {"TableName", "FunctionName", "RoleName", "LogGroupName", "AlarmName"}
    for resource in minimal_template.to_json()["Resources"].values():
        # What is there is a reference to another resource.
        names = {name: value for name, value in resource.get("Properties", {}).items() if name in named}
        assert all(isinstance(value, dict) for value in names.values())


def test_ids_of_what_keeps_data_are_a_contract(minimal_template: Template) -> None:
    assert set(minimal_template.find_resources("AWS::DynamoDB::GlobalTable")) == {
        "RegistrationStoreRegistrations3244E77C",
        "RegistrationStoreClaims9234059A",
    }
    assert set(minimal_template.find_resources("AWS::Logs::LogGroup")) == {
        "RegistrationResolverLog827A3CF2",
        "RegistrationAccessLogDC457608",
    }
    # Its id is in the fulfillment URL, which stands in the listing.
    assert set(minimal_template.find_resources("AWS::ApiGatewayV2::Api")) == {"RegistrationApi57D011AA"}


def test_key_schemas_are_those_that_the_resolver_uses(minimal_template: Template) -> None:
    registrations, claims = minimal_template.find_resources("AWS::DynamoDB::GlobalTable").values()

    def keys(table: Mapping[str, Any]) -> list[str]:
        return [key["AttributeName"] for key in table["Properties"]["KeySchema"]]

    assert keys(registrations) == [store.PARTITION_KEY, store.SORT_KEY]
    assert keys(claims) == [store.CLAIM_KEY]
    assert claims["Properties"]["TimeToLiveSpecification"]["AttributeName"] == store.CLAIM_EXPIRY


def test_the_resolver_reads_what_the_construct_sets(stack: Stack) -> None:
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

    assert variables.read == variables.keys()
    assert settings.products == {PRODUCT_CODE: LANDING_PAGE}
    assert settings.claim_ttl.total_seconds() == 300
    assert settings.seller_role_arn == "arn:aws:iam::444455556666:role/seller"


def test_every_call_with_every_retry_ends_within_the_functions_time(minimal_template: Template) -> None:
    def longest(config: Config) -> float:
        limits: Any = config
        attempts = limits.retries["total_max_attempts"]
        # The SDK waits up to 1, 2, 4 … seconds between tries.
        waits = sum(2**retry for retry in range(attempts - 1))
        return float(attempts * (limits.connect_timeout + limits.read_timeout) + waits)

    # A first registration: STS, Marketplace, and two writes. A claim makes three calls to DynamoDB and no other.
    registration = longest(time_limits.STS) + longest(time_limits.MARKETPLACE) + 2 * longest(time_limits.DYNAMODB)

    timeout = only(minimal_template, "AWS::Lambda::Function")["Timeout"]
    assert registration < timeout
    assert 3 * longest(time_limits.DYNAMODB) < timeout
    assert timeout < 30  # an HTTP API's limit


def test_the_sellers_role_redeems_tokens_and_nothing_else() -> None:
    stack = Stack(App(), "Publisher")

    MarketplaceSellerRole(stack, "Role", trusted=iam.AccountPrincipal("111122223333"), external_id="external-id")

    template = Template.from_stack(stack)
    trust = only(template, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Condition"] for statement in trust] == [{"StringEquals": {"sts:ExternalId": "external-id"}}]
    assert [statement["Action"] for statement in statements(template)] == ["aws-marketplace:ResolveCustomer"]


def test_a_table_that_is_destroyed_is_not_protected(stack: Stack) -> None:
    register(stack, removal_policy=RemovalPolicy.DESTROY)

    tables = Template.from_stack(stack).find_resources("AWS::DynamoDB::GlobalTable").values()
    assert not any(r.get("DeletionProtectionEnabled") for t in tables for r in t["Properties"]["Replicas"])
