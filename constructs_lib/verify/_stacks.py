"""The CDK app that is checked: one stack with everything, and two with a registration alone and less memory."""

from __future__ import annotations

from typing import Any

from aws_cdk import App, CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as sns_subscriptions
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions, RegistrationDashboard
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.verify._names import (
    CUSTOM_DOMAIN,
    LANDING_PAGE,
    MAIN,
    RATE_LIMIT,
    RELEASED,
    RELEASED_PRODUCT_CODE,
    THROTTLED,
)

_VERSIONS = """
import sys, boto3, botocore
def handler(event, context):
    return {"python": sys.version.split()[0], "boto3": boto3.__version__, "botocore": botocore.__version__}
"""


def make(app: App) -> None:
    """Make the stacks: those of the current release or, with the context ``released``, the upgraded one."""
    here = Environment(account=app.node.get_context("account"), region=app.node.get_context("region"))

    def stack(end: str, env: Environment | None = here) -> Stack:
        name = f"{app.node.get_context('name')}-{end}"
        return Stack(app, name, env=env, description="Made by constructs_lib.verify; may be deleted")

    if app.node.try_get_context(RELEASED):
        # Without an environment, as the recorded one.
        _register(stack(RELEASED, env=None), RELEASED_PRODUCT_CODE)
        return
    code = app.node.get_context("product_code")
    _make_main(stack(MAIN), code)
    throttled = stack(THROTTLED)
    # Half a throttle: the construct fills in the other half.
    _register(throttled, code, memory=THROTTLED, throttle={"rate_limit": RATE_LIMIT})
    with_domain = stack(CUSTOM_DOMAIN)
    _register(with_domain, code, memory=CUSTOM_DOMAIN, **_domain(with_domain))


def _register(stack: Stack, product_code: str, *, memory: str = "", **options: Any) -> MarketplaceRegistration:
    # Alarms cost by number, and one stack shows them.
    if memory:
        options["alarm_settings"] = dict.fromkeys(SIGNALS)
    registration = MarketplaceRegistration(
        stack,
        "Registration",
        products={product_code: LANDING_PAGE},
        log_retention=logs.RetentionDays.ONE_DAY,
        removal_policy=RemovalPolicy.DESTROY,
        **options,
    )
    if memory:
        function = registration.resolver.node.default_child
        assert isinstance(function, lambda_.CfnFunction)  # noqa: S101 - what a function's default child is
        function.memory_size = int(memory)
    _show(
        stack,
        ApiId=registration.api.api_id,
        Url=registration.api.api_endpoint,
        TableName=registration.table.table_name,
        TableArn=registration.table.table_arn,
        ClaimsTableArn=registration.claims_table.table_arn,
        ResolverName=registration.resolver.function_name,
        LogGroup=registration.log_group.log_group_name,
        AccessLogGroup=registration.access_log_group.log_group_name,
    )
    return registration


def _make_main(stack: Stack, product_code: str) -> None:
    topic = sns.Topic(stack, "Topic")
    messages = sqs.Queue(stack, "Messages")
    topic.add_subscription(sns_subscriptions.SqsSubscription(messages))
    action = cloudwatch_actions.SnsAction(topic)
    registration = _register(stack, product_code, alarm_actions=[action], ok_actions=[action])
    dashboard = RegistrationDashboard(stack, "Dashboard", registration=registration).dashboard
    backend, stranger = (
        iam.Role(stack, name, assumed_by=iam.AccountPrincipal(stack.account)) for name in ("Backend", "Stranger")
    )
    registration.grant_claim(backend)

    # A bus of its own, in both directions: the account's default bus has rules of the seller's.
    bus = events.EventBus(stack, "Bus")
    subscriptions = MarketplaceSubscriptions(
        stack,
        "Subscriptions",
        registration=registration,
        event_bus=bus,
        publication_event_bus=bus,
        reconciliation=True,
    )
    subscriptions.add_to_dashboard(dashboard)
    told = sqs.Queue(stack, "Told")
    subscriptions.on_ready("Ready", target=targets.SqsQueue(told))
    subscriptions.on_ended("Ended", target=targets.SqsQueue(told))
    versions = lambda_.Function(
        stack,
        "Versions",
        code=lambda_.Code.from_inline(_VERSIONS),
        handler="index.handler",
        runtime=registration.resolver.runtime,
        architecture=registration.resolver.architecture,
        # Enough to import boto3 in time.
        memory_size=512,
        timeout=Duration.seconds(30),
        log_group=logs.LogGroup(
            stack, "VersionsLog", retention=logs.RetentionDays.ONE_DAY, removal_policy=RemovalPolicy.DESTROY
        ),
    )
    reconciler, log, table = (
        subscriptions.reconciler,
        subscriptions.reconciler_log_group,
        subscriptions.reconciliation_table,
    )
    assert reconciler and log and table  # noqa: S101, PT018 - there is a reconciliation
    _show(
        stack,
        ReconcilerName=reconciler.function_name,
        ReconcilerLogGroup=log.log_group_name,
        ReconciliationTableArn=table.table_arn,
        MessagesUrl=messages.queue_url,
        DashboardName=dashboard.dashboard_name,
        BackendRoleArn=backend.role_arn,
        StrangerRoleArn=stranger.role_arn,
        QueueUrl=subscriptions.queue.queue_url,
        QueueArn=subscriptions.queue.queue_arn,
        DeadLettersArn=subscriptions.dead_letter_queue.queue_arn,
        RuleName=subscriptions.rule.rule_name,
        BusName=bus.event_bus_name,
        BusArn=bus.event_bus_arn,
        ToldUrl=told.queue_url,
        SubscriberLogGroup=subscriptions.subscriber_log_group.log_group_name,
        PublisherLogGroup=subscriptions.publisher_log_group.log_group_name,
        VersionsName=versions.function_name,
        **_roles(
            resolver=registration.resolver,
            subscriber=subscriptions.subscriber,
            publisher=subscriptions.publisher,
            reconciler=reconciler,
        ),
    )


def _roles(**functions: lambda_.Function) -> dict[str, str]:
    return {f"{name.title()}RoleArn": function.role.role_arn for name, function in functions.items() if function.role}


def _domain(stack: Stack) -> dict[str, Any]:
    name = stack.node.try_get_context("domain")
    if not name:
        return {}
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", stack.node.get_context("certificate"))
    domain = apigwv2.DomainName(stack, "Domain", domain_name=name, certificate=certificate)
    # The name leads elsewhere, or nowhere yet: requests for it are sent to this one, and the others around it.
    _show(stack, DomainTarget=domain.regional_domain_name)
    return {"domain": {"domain_name": domain}, "keep_execute_api_endpoint": True}


def _show(stack: Stack, **outputs: str) -> None:
    for name, value in outputs.items():
        CfnOutput(stack, name, value=value)


if __name__ == "__main__":
    made = App()
    make(made)
    made.synth()
