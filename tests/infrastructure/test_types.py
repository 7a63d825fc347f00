"""A parameter of a wrong type is rejected in one line that names it, not in a trace of jsii."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from constructs import Construct

from constructs_lib import (
    AlarmSettings,
    LostBuyersQuery,
    MarketplaceRegistration,
    MarketplaceSellerRole,
    RegistrationDashboard,
)
from constructs_lib.marketplace_seller_role import _PARAMETERS as SELLER_ROLE
from constructs_lib.registration._parameters import PARAMETERS as REGISTRATION
from constructs_lib.registration.lost_buyers_query import _PARAMETERS as QUERY
from constructs_lib.registration.registration_dashboard import _PARAMETERS as DASHBOARD
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENV = Environment(account="111122223333", region="eu-west-1")


def a_stack() -> Stack:
    return Stack(App(), "Stack", env=ENV)


@cache
def made() -> Mapping[str, Any]:
    """Return a value of each type that a seller has at hand; a test gives each to the parameters of other types."""
    stack = a_stack()
    topic = sns.Topic(stack, "Topic")
    return {
        "none": None,
        "string": "arn:aws:iam::111122223333:role/seller",
        "integer": 600,
        "float": 0.5,
        "boolean": True,
        "not a number": float("nan"),
        "bytes": b"bytes",
        "list": [PRODUCT_CODE],
        "set": {PRODUCT_CODE},
        "dict": {"rate": 5},
        "object": object(),
        "class": iam.Role,
        "function": a_stack,
        "duration": Duration.minutes(5),
        "retention": logs.RetentionDays.ONE_DAY,
        "policy": RemovalPolicy.DESTROY,
        "role": iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")),
        "imported role": iam.Role.from_role_arn(stack, "Imported", "arn:aws:iam::111122223333:role/seller"),
        "table": dynamodb.TableV2.from_table_name(stack, "Table", "buyers"),
        "imported key": kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1"),
        "topic": topic,
        "action": cloudwatch_actions.SnsAction(topic),
        "target of a rule": targets.SnsTopic(topic),
        "log group": logs.LogGroup(stack, "Log"),
        "stack": stack,
        "template's parameter": CfnParameter(stack, "Parameter"),
        "throttle": apigwv2.ThrottleSettings(rate_limit=1),
        "settings": AlarmSettings(),
    }


# Parameter: the values of those above that fit it.
FIT: Mapping[str, set[str]] = {
    "scope": {"role", "table", "topic", "log group", "stack", "template's parameter", "imported role", "imported key"},
    "construct_id": {"string"},
    "products": {"dict"},
    "seller_role": {"none", "role", "imported role"},
    "seller_role_external_id": {"none", "string"},
    "marketplace_region": {"string"},
    "table": {"none", "table"},
    "encryption_key": {"none", "imported key"},
    "domain": {"none", "dict"},
    "keep_execute_api_endpoint": {"boolean"},
    "throttle": {"none", "dict", "throttle"},
    "reserved_concurrent_executions": {"none", "integer"},
    "sdk_ua_app_id": {"none", "string"},
    "claim_ttl": {"none", "duration"},
    "support_url": {"none", "string"},
    "login_url": {"none", "string"},
    "alarm_actions": {"list"},
    "ok_actions": {"list"},
    "runbook_url": {"none", "string"},
    "alarm_settings": {"none", "dict"},
    "log_retention": {"retention"},
    "removal_policy": {"policy"},
}
GIVEN = sorted(made())
CONSTRUCTS: Mapping[Callable[..., object], dict[str, Any]] = {
    MarketplaceRegistration: {"products": {PRODUCT_CODE: LANDING_PAGE}},
    MarketplaceSellerRole: {"trusted": iam.AccountPrincipal("111122223333")},
    LostBuyersQuery: {"log_group": made()["log group"]},
    RegistrationDashboard: {"registration": None},
}


def rejected(construct: Callable[..., object], **parameters: Any) -> str:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is looked at by the test
        construct(**{"scope": a_stack(), "construct_id": "Construct", **parameters})
    message = str(rejection.value)
    assert "\n" not in message
    return message


def test_every_parameter_of_every_construct_has_a_kind() -> None:
    for construct, kinds in {
        MarketplaceRegistration: REGISTRATION,
        RegistrationDashboard: DASHBOARD,
        LostBuyersQuery: QUERY,
        MarketplaceSellerRole: SELLER_ROLE,
    }.items():
        assert list(kinds) == list(inspect.signature(construct.__init__).parameters)[1:]  # type: ignore[misc]
    assert FIT.keys() == REGISTRATION.keys()


@pytest.mark.parametrize("parameter", FIT)
def test_a_value_of_another_type_is_rejected(parameter: str) -> None:
    products = {"products": {PRODUCT_CODE: LANDING_PAGE}}
    for given in GIVEN:
        if given not in FIT[parameter]:
            message = rejected(MarketplaceRegistration, **{**products, parameter: made()[given]})

            assert message.startswith(f"{parameter}: must be "), given
            assert ", got " in message, given


@pytest.mark.parametrize("parameter", FIT)
def test_a_value_of_the_type_is_let_through(parameter: str) -> None:
    for given in FIT[parameter]:
        assert REGISTRATION[parameter].fits(made()[given]), given


def test_what_is_asked_of_the_cdks_own_objects_is_true_of_all_of_them() -> None:
    stack = a_stack()
    key = kms.Key(stack, "Key")
    text = dynamodb.Attribute(name="Key", type=dynamodb.AttributeType.STRING)
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", "arn:aws:acm:eu-west-1:1:certificate/1")
    domain = apigwv2.DomainName(stack, "Domain", domain_name="a.example.com", certificate=certificate)
    imported = apigwv2.DomainName.from_domain_name_attributes(
        stack, "Imported", name="b.example.com", regional_domain_name="b", regional_hosted_zone_id="z"
    )
    objects: dict[str, list[Any]] = {
        "seller_role": [iam.Role.from_role_name(stack, "ByName", "seller"), iam.LazyRole],
        "table": [
            dynamodb.TableV2(stack, "V2", partition_key=text),
            dynamodb.Table(stack, "V1", partition_key=text),
            dynamodb.Table.from_table_name(stack, "V1Imported", "buyers"),
        ],
        "encryption_key": [key, kms.Alias(stack, "Alias", alias_name="alias/a", target_key=key)],
        "domain": [apigwv2.DomainMappingOptions(domain_name=each) for each in (domain, imported)],
        "alarm_actions": [(), []],
    }
    for parameter, values in objects.items():
        for value in values:
            assert REGISTRATION[parameter].fits(value) is not isinstance(value, type), (parameter, value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"products": [PRODUCT_CODE]},
            (
                'products: must be a dict of product code to landing page, such as {"a1b2…": '
                '"https://app.example.com/signup"}, got a value of type list'
            ),
        ),
        ({"claim_ttl": 600}, "claim_ttl: must be a Duration, such as Duration.minutes(10), or None, got 600"),
        (
            {"products": {1: LANDING_PAGE}},
            "products: a product code must be a string, such as 'a290sds6en72spp3ph4q890es', got 1",
        ),
        (
            {"products": {"abc": 1}},
            "products: landing page for 'abc' must be a string, such as 'https://app.example.com/signup', got 1",
        ),
        (
            {"throttle": {"rate": 5}},
            "throttle: a field must be one of rate_limit, burst_limit, got 'rate'",
        ),
        ({"throttle": {"rate_limit": "5"}}, "throttle: rate_limit must be a number, or None, got '5'"),
        ({"throttle": {"burst_limit": 5.5}}, "throttle: burst_limit must be a whole number, or None, got 5.5"),
        ({"throttle": {"burst_limit": True}}, "throttle: burst_limit must be a whole number, or None, got True"),
        (
            {"domain": {"domain_name": "a.example.com"}},
            "domain: domain_name must be a DomainName of aws_apigatewayv2, got 'a.example.com'",
        ),
        ({"domain": {}}, "domain: domain_name must be a DomainName of aws_apigatewayv2, got None"),
        (
            {"alarm_settings": {1: None}},
            "alarm_settings: an alarm's name must be a string, such as 'ResolverSlow', got 1",
        ),
        (
            {"alarm_settings": {"ResolverSlow": {"threshold": 1}}},
            "alarm_settings: ResolverSlow: must be an AlarmSettings or None, got {'threshold': 1}",
        ),
        (
            {"alarm_actions": "arn:aws:sns:eu-west-1:111122223333:pager"},
            (
                "alarm_actions: must be a list of actions, such as [aws_cloudwatch_actions.SnsAction(topic)], "
                "got 'arn:aws:sns:eu-west-1:111122223333:pager'"
            ),
        ),
    ],
)
def test_the_message_says_what_to_write(parameters: dict[str, Any], message: str) -> None:
    assert rejected(MarketplaceRegistration, **{"products": {PRODUCT_CODE: LANDING_PAGE}, **parameters}) == message


@pytest.mark.parametrize("given", ["topic", "target of a rule", "imported role", "string", "class"])
@pytest.mark.parametrize("parameter", ["alarm_actions", "ok_actions"])
def test_an_alarm_action_that_is_none_is_rejected(parameter: str, given: str) -> None:
    actions: dict[str, Any] = {parameter: [made()[given]]}

    message = rejected(MarketplaceRegistration, products={PRODUCT_CODE: LANDING_PAGE}, **actions)

    assert message.startswith(
        f"{parameter}: each must be an action, such as aws_cloudwatch_actions.SnsAction(topic), got "
    )


@pytest.mark.parametrize("given", ["none", "string", "integer", "list", "role", "imported role", "class", "stack"])
def test_the_other_constructs_reject_other_types_too(given: str) -> None:
    value = made()[given]

    assert rejected(RegistrationDashboard, registration=value).startswith(
        "registration: must be a MarketplaceRegistration, got "
    )
    if given not in {"role", "imported role"}:
        assert rejected(MarketplaceSellerRole, trusted=value).startswith("trusted: must be a principal, such as ")
    if given not in {"none", "string"}:
        message = rejected(MarketplaceSellerRole, trusted=iam.AccountPrincipal("111122223333"), external_id=value)
        assert message.startswith("external_id: must be a string, such as ")
    assert rejected(LostBuyersQuery, log_group=value).startswith("log_group: must be a log group: ")
    for construct, parameters in CONSTRUCTS.items():
        if not isinstance(value, str):
            assert rejected(construct, construct_id=value, **parameters).startswith("construct_id: must be a string ")
        if given not in FIT["scope"]:
            assert rejected(construct, scope=value, **parameters).startswith("scope: must be the stack or a construct")


@pytest.mark.parametrize("field", [field.name for field in fields(AlarmSettings)])
def test_an_alarms_settings_reject_other_types(field: str) -> None:
    wanted = {"none", "duration"} if field == "period" else {"none", "integer", "float"}
    for given in set(GIVEN) - wanted:
        settings: dict[str, Any] = {field: made()[given]}

        message = rejected(
            MarketplaceRegistration,
            products={PRODUCT_CODE: LANDING_PAGE},
            alarm_settings={"ResolverSlow": AlarmSettings(**settings)},
        )

        assert message.startswith(f"alarm_settings: ResolverSlow: {field} must be "), given


def test_structs_may_be_written_as_dicts_as_the_cdk_takes_them() -> None:
    stack = a_stack()
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", "arn:aws:acm:eu-west-1:1:certificate/1")
    domain = apigwv2.DomainName(stack, "Domain", domain_name="a.example.com", certificate=certificate)

    MarketplaceRegistration(
        stack,
        "Registration",
        products={PRODUCT_CODE: LANDING_PAGE},
        throttle={"rate_limit": 1, "burst_limit": None},
        domain={"domain_name": domain, "mapping_key": "aws"},
    )

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {"DefaultRouteSettings": {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 20}},
    )
    template.has_resource_properties("AWS::ApiGatewayV2::ApiMapping", {"ApiMappingKey": "aws"})


def test_none_means_the_default() -> None:
    everything: dict[str, Any] = {name: None for name, given in FIT.items() if "none" in given}
    stacks = [a_stack(), a_stack()]
    for stack, parameters in zip(stacks, ({}, everything), strict=True):
        MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, **parameters)

    left_out, none = (Template.from_stack(stack).to_json() for stack in stacks)

    assert left_out == none


@pytest.mark.parametrize(
    ("throttle", "expected"),
    [
        (apigwv2.ThrottleSettings(rate_limit=5), (5, 20)),
        (apigwv2.ThrottleSettings(burst_limit=5), (10, 5)),
        (apigwv2.ThrottleSettings(), (10, 20)),
    ],
)
def test_half_a_throttle_keeps_the_default_of_the_other_half(
    throttle: apigwv2.ThrottleSettings, expected: tuple[int, int]
) -> None:
    stack = a_stack()

    MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, throttle=throttle)

    (stage,) = Template.from_stack(stack).find_resources("AWS::ApiGatewayV2::Stage").values()
    limits = stage["Properties"]["DefaultRouteSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == expected


def test_the_construct_itself_may_be_a_scope() -> None:
    stack = a_stack()

    scope = Construct(stack, "Scope")
    MarketplaceRegistration(scope, "Registration", products={PRODUCT_CODE: LANDING_PAGE})

    Template.from_stack(stack).resource_count_is("AWS::ApiGatewayV2::Api", 1)
