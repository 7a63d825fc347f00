"""The stacks under test, the smallest ones and those with every option set, and what tests make and read of stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import App, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from constructs_lib import (
    MarketplaceEventForwarding,
    MarketplaceRegistration,
    MarketplaceSubscriptions,
    RegistrationDashboard,
)
from constructs_lib._acknowledged import acknowledge
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk.assertions import Template
    from constructs import Construct


def register(scope: Construct, construct_id: str = "Registration", **parameters: Any) -> MarketplaceRegistration:
    return MarketplaceRegistration(scope, construct_id, **{"products": {PRODUCT_CODE: LANDING_PAGE}, **parameters})


def minimal(app: App, construct_id: str = "Minimal") -> Stack:
    stack = Stack(app, construct_id)
    register(stack)
    return stack


def full(app: App) -> Stack:
    stack = Stack(app, "Full", env=Environment(account="111122223333", region="eu-west-1"))
    topic = sns.Topic(stack, "Pager", enforce_ssl=True, master_key=kms.Alias.from_alias_name(stack, "Sns", "alias/sns"))
    domain = apigwv2.DomainName(
        stack,
        "Domain",
        domain_name="marketplace.example.com",
        certificate=acm.Certificate.from_certificate_arn(
            stack, "Certificate", "arn:aws:acm:eu-west-1:111122223333:certificate/1"
        ),
    )
    registration = MarketplaceRegistration(
        stack,
        "Registration",
        products={PRODUCT_CODE: LANDING_PAGE, "b290sds6en72spp3ph4q890es": "https://b.example.com/?from=aws"},
        seller_role=iam.Role.from_role_arn(stack, "SellerRole", "arn:aws:iam::444455556666:role/seller"),
        seller_role_external_id="external-id",
        marketplace_region="us-west-2",
        encryption_key=kms.Key(stack, "Key", enable_key_rotation=True),
        domain=apigwv2.DomainMappingOptions(domain_name=domain, mapping_key="aws"),
        throttle=apigwv2.ThrottleSettings(rate_limit=5, burst_limit=7),
        reserved_concurrent_executions=50,
        sdk_ua_app_id="APN_1.1/pc_a290sds6en72spp3ph4q890es$",
        claim_ttl=Duration.minutes(3),
        support_url="mailto:support@example.com",
        login_url="https://app.example.com/login",
        alarm_actions=[cloudwatch_actions.SnsAction(topic)],
        ok_actions=[cloudwatch_actions.SnsAction(topic)],
        runbook_url="https://wiki.example.com/runbook",
        log_retention=logs.RetentionDays.TWO_YEARS,
        removal_policy=RemovalPolicy.DESTROY,
    )
    backend = lambda_.Function.from_function_attributes(
        stack,
        "Backend",
        function_arn="arn:aws:lambda:eu-west-1:111122223333:function:backend",
        role=iam.Role.from_role_arn(stack, "BackendRole", "arn:aws:iam::111122223333:role/backend"),
    )
    registration.grant_claim(backend)
    registration.grant_read(backend)
    return stack


def subscribe(
    scope: Construct, registration: MarketplaceRegistration | None = None, **parameters: Any
) -> MarketplaceSubscriptions:
    return MarketplaceSubscriptions(scope, "Subscriptions", registration=registration or register(scope), **parameters)


def subscriptions(app: App) -> Stack:
    stack = Stack(app, "Subscribed")
    subscribe(stack)
    return stack


def full_subscriptions(app: App) -> Stack:
    """Return the full stack with subscriptions: the product is in another account and region than its publisher."""
    stack = full(app)
    registration: Any = stack.node.find_child("Registration")
    marketplace_events = events.EventBus(stack, "MarketplaceEvents")
    marketplace_events.add_to_resource_policy(
        iam.PolicyStatement(
            sid="Forwarding",
            principals=[iam.AccountPrincipal("444455556666")],
            actions=["events:PutEvents"],
            resources=[marketplace_events.event_bus_arn],
            conditions={"StringEquals": {"events:source": "aws.agreement-marketplace"}},
        )
    )
    subscribed = subscribe(
        stack,
        registration,
        event_bus=marketplace_events,
        publication_event_bus=events.EventBus(stack, "Product"),
        reconciliation=True,
        lost_buyer_delay=Duration.minutes(30),
        alarm_settings={"EntitlementsThrottled": None},
    )
    dead = sqs.Queue(stack, "Dead", enforce_ssl=True)
    acknowledge(dead, {"Serverless-SQSRedrivePolicy": "It is a dead-letter queue."})
    queue = sqs.Queue(
        stack, "Changes", enforce_ssl=True, dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=3)
    )
    target = targets.SqsQueue(queue, dead_letter_queue=dead)
    subscribed.on_registered("Greet", target=target)
    subscribed.on_ready("Provision", target=target, description="Gives the buyer access")
    subscribed.on_changed("Resize", target=target)
    subscribed.on_ended("Revoke", target=target)
    dashboard = RegistrationDashboard(stack, "Dashboard", registration=registration).dashboard
    subscribed.add_to_dashboard(dashboard)
    return stack


def forwarding(app: App) -> Stack:
    stack = Stack(app, "Forwarding", env=Environment(account="444455556666", region="us-east-1"))
    topic = sns.Topic(stack, "Pager", enforce_ssl=True, master_key=kms.Alias.from_alias_name(stack, "Sns", "alias/sns"))
    MarketplaceEventForwarding(
        stack,
        "Forwarding",
        event_bus=events.EventBus.from_event_bus_arn(
            stack, "Bus", "arn:aws:events:eu-west-1:111122223333:event-bus/marketplace"
        ),
        alarm_actions=[cloudwatch_actions.SnsAction(topic)],
        ok_actions=[cloudwatch_actions.SnsAction(topic)],
        runbook_url="https://wiki.example.com/runbook",
    )
    return stack


def properties(template: Template, kind: str) -> list[dict[str, Any]]:
    """Return the properties of every resource of a type."""
    return [resource.get("Properties", {}) for resource in template.find_resources(kind).values()]


def only(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of the one resource of a type."""
    (found,) = properties(template, kind)
    return found


def statements(template: Template) -> Iterator[dict[str, Any]]:
    for policy in properties(template, "AWS::IAM::Policy"):
        yield from policy["PolicyDocument"]["Statement"]
