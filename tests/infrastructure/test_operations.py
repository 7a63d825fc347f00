"""What a deployment does to what is live: the order of its parts, what protects the table, what the API is called."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, Environment, RemovalPolicies, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk.assertions import Template
from constructs import Construct

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE


def a_stack() -> Stack:
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="eu-west-1"))


def register(scope: Construct, **parameters: Any) -> MarketplaceRegistration:
    return MarketplaceRegistration(scope, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, **parameters)


def protection(stack: Stack) -> list[bool]:
    (table,) = (
        table["Properties"]
        for table in Template.from_stack(stack).find_resources("AWS::DynamoDB::GlobalTable").values()
        if "StreamSpecification" in table["Properties"]
    )
    return [replica["DeletionProtectionEnabled"] for replica in table["Replicas"]]


def test_metric_filters_of_one_log_group_are_made_one_after_the_other(minimal_template: Template) -> None:
    filters = minimal_template.find_resources("AWS::Logs::MetricFilter")
    by_group: dict[str, list[str]] = {}
    for logical_id, made in filters.items():
        by_group.setdefault(made["Properties"]["LogGroupName"]["Ref"], []).append(logical_id)

    assert len(by_group) == 2
    for group in by_group.values():
        waits_for = {logical_id: filters[logical_id].get("DependsOn", []) for logical_id in group}
        (first,) = (logical_id for logical_id, others in waits_for.items() if not others)
        order = [first]
        while len(order) < len(group):
            (following,) = (logical_id for logical_id, others in waits_for.items() if others == [order[-1]])
            order.append(following)
        assert sorted(order) == sorted(group)


@pytest.mark.parametrize(
    ("given", "whole_stack", "protected"),
    [
        (RemovalPolicy.RETAIN, None, True),
        (RemovalPolicy.RETAIN, "destroy", False),
        (RemovalPolicy.RETAIN, "retain_on_update_or_delete", False),
        (RemovalPolicy.DESTROY, None, False),
        (RemovalPolicy.DESTROY, "retain", True),
    ],
)
def test_protection_against_deletion_follows_the_policy_also_if_it_is_set_for_the_whole_stack(
    given: RemovalPolicy, whole_stack: str | None, *, protected: bool
) -> None:
    stack = a_stack()
    register(stack, removal_policy=given)
    if whole_stack:
        getattr(RemovalPolicies.of(stack), whole_stack)()

    assert protection(stack) == [protected]


def test_a_stack_whose_removal_policy_is_destroy_can_be_deleted_whole() -> None:
    stack = a_stack()
    register(stack)
    RemovalPolicies.of(stack).destroy()

    resources = Template.from_stack(stack).to_json()["Resources"].values()

    kept = {resource["Type"] for resource in resources if resource.get("DeletionPolicy") == "Retain"}
    assert kept == set()


def test_every_replica_follows_the_policy() -> None:
    stack = a_stack()
    registration = register(stack)
    assert isinstance(registration.table, dynamodb.TableV2)
    registration.table.add_replica(region="us-east-1")

    assert protection(stack) == [True, True]

    RemovalPolicies.of(stack).destroy()
    other = a_stack()
    table = register(other, removal_policy=RemovalPolicy.DESTROY).table
    assert isinstance(table, dynamodb.TableV2)
    table.add_replica(region="us-east-1", deletion_protection=True)
    assert protection(other) == [False, False]


@pytest.mark.parametrize("keep", [False, True])
def test_with_a_domain_both_urls_can_be_kept_until_the_listing_has_changed(*, keep: bool) -> None:
    stack = a_stack()
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", "arn:aws:acm:eu-west-1:1:certificate/1")
    domain = apigwv2.DomainName(stack, "Domain", domain_name="marketplace.example.com", certificate=certificate)

    registration = register(stack, domain={"domain_name": domain}, keep_execute_api_endpoint=keep)

    (api,) = Template.from_stack(stack).find_resources("AWS::ApiGatewayV2::Api").values()
    assert api["Properties"].get("DisableExecuteApiEndpoint", False) is not keep
    # The listing is to have the new one either way.
    assert "execute-api" not in str(stack.resolve(registration.fulfillment_url))


def test_the_api_is_named_after_its_path() -> None:
    stack = a_stack()
    register(Construct(stack, "Shop"))
    long = a_stack()
    register(Construct(long, "x" * 200))

    names = [
        api["Properties"]["Name"]
        for each in (stack, long)
        for api in Template.from_stack(each).find_resources("AWS::ApiGatewayV2::Api").values()
    ]

    assert names == ["Stack-Shop-Registration", f"{'x' * 115}-Registration"]
    assert len(names[1]) == 128
