"""The resources of the constructs written by hand, to measure their synth against.

This is the stack of a seller without the constructs: the CDK's own constructs one after another, every decision made
while writing, and the functions' code in folders. A test checks that it makes as many resources of each type as the
constructs do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration, RemovalPolicy, SymlinkFollowMode
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from constructs_lib.functions._asset import COMPILED
from constructs_lib.registration import _resolver as resolver
from constructs_lib.registration._outcomes import COUNTS, TIMES
from constructs_lib.subscriptions import _functions as functions
from constructs_lib.subscriptions._lost_buyers import LOST_BUYERS
from constructs_lib.subscriptions._outcomes import (
    EVENTS,
    NOT_OF_THE_FIRST_RUN,
    PUBLISHED,
    RECONCILED,
    RECONCILIATION_COUNTS,
    UNPUBLISHED,
)
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

_ALARMED_COUNTS = (
    "MarketplaceThrottled",
    "MarketplaceUnavailable",
    "MarketplaceRefused",
    "StoreUnavailable",
    "TokensRefused",
    "ClaimsRefused",
    "ProductsRefused",
)
_ALARMED_EVENTS = (
    "EventsMalformed",
    "EventsFailed",
    "AdvisoriesReceived",
    "EntitlementsRefused",
    "EntitlementsThrottled",
)
_PERIOD = Duration.minutes(5)
_HOUR = Duration.hours(1)


@jsii.implements(apigwv2.IAccessLogSettings)
class _AccessLog:
    def __init__(self, log_group: logs.ILogGroup) -> None:
        self._destination = apigwv2.LogGroupLogDestination(log_group)
        self._format = apigateway.AccessLogFormat.custom(
            json.dumps(
                {
                    "requestId": "$context.requestId",
                    "requestTime": "$context.requestTime",
                    "sourceIp": "$context.identity.sourceIp",
                    "userArn": "$context.identity.userArn",
                    "routeKey": "$context.routeKey",
                    "status": "$context.status",
                    "responseLatency": "$context.responseLatency",
                    "integrationLatency": "$context.integrationLatency",
                    "integrationRequestId": "$context.integration.requestId",
                    "integrationStatus": "$context.integrationStatus",
                    "error": "$context.error.responseType",
                }
            )
        )

    @property
    def destination(self) -> apigwv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return self._format


@dataclass(frozen=True)
class Registration:
    """The part of a registration that subscriptions use.

    Attributes:
        table: the registrations table.
        stream_arn: the table's stream.
        role: the resolver's.
        resolver: the resolver.
    """

    table: dynamodb.TableV2
    stream_arn: str
    role: iam.Role
    resolver: lambda_.Function


def registration(scope: Construct, *, asset: str) -> Registration:
    """Create the resources of a registration in ``scope``, with the resolver's code from the folder ``asset``."""
    registrations = dynamodb.TableV2(
        scope,
        "Registrations",
        partition_key=dynamodb.Attribute(name="CustomerAWSAccountId", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="ProductLicense", type=dynamodb.AttributeType.STRING),
        dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        encryption=dynamodb.TableEncryptionV2.dynamo_owned_key(),
        deletion_protection=True,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
    )
    claims = dynamodb.TableV2(
        scope,
        "Claims",
        partition_key=dynamodb.Attribute(name="CodeHash", type=dynamodb.AttributeType.STRING),
        time_to_live_attribute="ExpiresAt",
        encryption=dynamodb.TableEncryptionV2.dynamo_owned_key(),
        removal_policy=RemovalPolicy.DESTROY,
    )

    role, log, function = _function(
        scope,
        "",
        package="resolver",
        description="Redeems registration tokens of AWS Marketplace and responds to claims",
        asset=asset,
        memory_size=resolver.MEMORY_MIB,
        timeout_seconds=resolver.TIMEOUT_SECONDS,
        environment={
            "PRODUCTS": json.dumps({PRODUCT_CODE: LANDING_PAGE}),
            "REGISTRATIONS_TABLE": registrations.table_name,
            "CLAIMS_TABLE": claims.table_name,
            "CLAIM_TTL_SECONDS": "600",
            "MARKETPLACE_REGION": "us-east-1",
        },
    )
    registrations.grant(role, "dynamodb:GetItem", "dynamodb:UpdateItem")
    claims.grant(role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
    iam.Policy(
        scope,
        "ResolveCustomer",
        roles=[role],
        statements=[iam.PolicyStatement(actions=["aws-marketplace:ResolveCustomer"], resources=["*"])],
    )

    access_log = logs.LogGroup(scope, "AccessLog", retention=logs.RetentionDays.ONE_YEAR)
    api = apigwv2.HttpApi(
        scope,
        "Api",
        description="Registers buyers of AWS Marketplace",
        create_default_stage=False,
        disable_execute_api_endpoint=False,
    )
    api.add_stage(
        "Stage",
        stage_name="$default",
        auto_deploy=True,
        access_log_settings=_AccessLog(access_log),
        throttle=apigwv2.ThrottleSettings(rate_limit=10, burst_limit=20),
    )
    integration = HttpLambdaIntegration("Resolver", function, scope_permission_to_route=False)
    methods = [apigwv2.HttpMethod.GET, apigwv2.HttpMethod.HEAD, apigwv2.HttpMethod.POST]
    for path in ("/register", "/register/{proxy+}"):
        api.add_routes(path=path, methods=methods, integration=integration)
    api.add_routes(
        path="/claim", methods=[apigwv2.HttpMethod.POST], integration=integration, authorizer=HttpIamAuthorizer()
    )

    namespace = f"MarketplaceRegistration/{function.function_name}"
    counts = {}
    for name, outcomes in COUNTS.items():
        counts[name] = _metric_filter(scope, name, log, namespace, _any_of(outcomes))
    for name, field in TIMES.items():
        _metric_filter(scope, name, log, namespace, f"{{ $.{field} = * }}", value=f"$.{field}")
    api_throttled = _metric_filter(scope, "ApiThrottled", access_log, namespace, '{ $.status = "429" }')
    denied = '{ ($.routeKey = "POST /claim") && ($.status = "403") }'
    claims_denied = _metric_filter(scope, "ClaimsDenied", access_log, namespace, denied)
    unclaimed = _metric_filter(scope, "CodesUnclaimed", log, namespace, _any_of(COUNTS["Registrations"]))
    logs.MetricFilter(
        scope,
        "CodesUnclaimedMinusFilter",
        log_group=log,
        filter_pattern=logs.FilterPattern.literal('{ $.outcome = "claimed" }'),
        metric_namespace=namespace,
        metric_name="CodesUnclaimed",
        metric_value="-1",
    )

    metrics = {
        "ApiServerErrors": api.metric_server_error(statistic=cloudwatch.Stats.SUM, period=_PERIOD),
        "RecurringServerErrors": api.metric_server_error(statistic=cloudwatch.Stats.SUM, period=Duration.hours(1)),
        "ApiThrottled": api_throttled.metric(statistic=cloudwatch.Stats.SUM, period=_PERIOD),
        "ClaimsDenied": claims_denied.metric(statistic=cloudwatch.Stats.SUM, period=_PERIOD),
        "CodesUnclaimed": unclaimed.metric(statistic=cloudwatch.Stats.SUM, period=Duration.days(1)),
        "ResolverErrors": function.metric_errors(period=_PERIOD),
        "ResolverThrottles": function.metric_throttles(period=_PERIOD),
        "ResolverSlow": function.metric_duration(statistic=cloudwatch.Stats.p(99), period=_PERIOD),
    }
    for name in _ALARMED_COUNTS:
        metrics[name] = counts[name].metric(statistic=cloudwatch.Stats.SUM, period=_PERIOD)
    for name, table, operations in (
        ("Registrations", registrations, ("GetItem", "UpdateItem")),
        ("Claims", claims, ("GetItem", "PutItem", "UpdateItem")),
    ):
        for kind in ("Read", "Write"):
            metrics[f"{name}{kind}Throttled"] = table.metric(
                f"{kind}ThrottleEvents", statistic=cloudwatch.Stats.SUM, period=_PERIOD
            )
        for operation in operations:
            metrics[f"{name}{operation}Fails"] = cloudwatch.Metric(
                namespace="AWS/DynamoDB",
                metric_name="SystemErrors",
                dimensions_map={"TableName": table.table_name, "Operation": operation},
                statistic=cloudwatch.Stats.SUM,
                period=_PERIOD,
            )
    for name, metric in metrics.items():
        _alarm(scope, name, metric)
    return Registration(registrations, registrations.table_stream_arn or "", role, function)


def subscriptions(
    scope: Construct,
    registration: Registration,
    *,
    subscriber_asset: str,
    publisher_asset: str,
    reconciler_asset: str,
) -> None:
    """Create the resources of the subscriptions in ``scope``, with the functions' code from the three folders."""
    table, stream_arn = registration.table, registration.stream_arn
    registration.resolver.add_environment("SUBSCRIPTIONS", "true")
    table.grant(registration.role, "dynamodb:Query")

    dead_letters = _queue(scope, "DeadLetters")
    queue = _queue(
        scope,
        "Queue",
        visibility_timeout=Duration.seconds(6 * functions.TIMEOUT_SECONDS),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=10),
    )
    publisher_dead_letters = _queue(scope, "PublisherDeadLetters")
    rule = events.Rule(
        scope,
        "Rule",
        description="Events of AWS Marketplace's licenses and agreements",
        event_bus=events.EventBus.from_event_bus_name(scope, "MarketplaceBus", "default"),
        event_pattern=events.EventPattern(source=["aws.agreement-marketplace"]),
        targets=[targets.SqsQueue(queue, dead_letter_queue=dead_letters)],
    )

    reconciliation = dynamodb.TableV2(
        scope,
        "Reconciliation",
        partition_key=dynamodb.Attribute(name="Name", type=dynamodb.AttributeType.STRING),
        billing=dynamodb.Billing.on_demand(),
        removal_policy=RemovalPolicy.DESTROY,
    )
    of_marketplace = {
        "REGISTRATIONS_TABLE": table.table_name,
        "RECONCILIATION_TABLE": reconciliation.table_name,
        "PRODUCTS": json.dumps([PRODUCT_CODE]),
        "ENTITLEMENTS_REGION": "us-east-1",
    }
    subscriber_role, subscriber_log, subscriber = _function(
        scope,
        "Subscriber",
        package="subscriber",
        description="Records AWS Marketplace's events of licenses and agreements in the registrations table",
        asset=subscriber_asset,
        memory_size=functions.MEMORY_MIB,
        timeout_seconds=functions.TIMEOUT_SECONDS,
        environment=of_marketplace,
    )
    table.grant(subscriber_role, "dynamodb:UpdateItem")
    reconciliation.grant(subscriber_role, "dynamodb:UpdateItem")
    iam.Policy(
        scope,
        "GetEntitlements",
        roles=[subscriber_role],
        statements=[iam.PolicyStatement(actions=["aws-marketplace:GetEntitlements"], resources=["*"])],
    )
    subscriber.add_event_source(
        event_sources.SqsEventSource(queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
    )

    publisher_role, publisher_log, publisher = _function(
        scope,
        "Publisher",
        package="publisher",
        description="Tells an event bus what changed in the registrations table",
        asset=publisher_asset,
        memory_size=functions.MEMORY_MIB,
        timeout_seconds=functions.TIMEOUT_SECONDS,
        environment={"REGISTRATIONS_TABLE": table.table_name, "EVENT_BUS": "default"},
    )
    table.grant(publisher_role, "dynamodb:Query")
    events.EventBus.from_event_bus_name(scope, "Bus", "default").grant_put_events_to(publisher_role)
    publisher_dead_letters.grant_send_messages(publisher_role)
    access = iam.Policy(
        scope,
        "Stream",
        roles=[publisher_role],
        statements=[
            iam.PolicyStatement(
                actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                resources=[stream_arn],
            ),
            iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=[f"{table.table_arn}/stream/*"]),
        ],
    )
    mapping = publisher.add_event_source_mapping(
        "Stream",
        event_source_arn=stream_arn,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        report_batch_item_failures=True,
        bisect_batch_on_error=True,
        max_record_age=Duration.hours(2),
        on_failure=event_sources.SqsDlq(publisher_dead_letters),
    )
    mapping.node.add_dependency(access)

    reconciler_role, reconciler_log, reconciler = _function(
        scope,
        "Reconciler",
        package="reconciler",
        description="Records in the registrations table what the events of AWS Marketplace have missed",
        asset=reconciler_asset,
        memory_size=functions.MEMORY_MIB,
        timeout_seconds=functions.RECONCILER_TIMEOUT_SECONDS,
        environment={**of_marketplace, "AGREEMENTS_REGION": "us-east-1", "LOST_BUYER_DELAY_SECONDS": "3600"},
    )
    reconciler.configure_async_invoke(retry_attempts=0, max_event_age=_HOUR)
    table.grant(reconciler_role, "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem")
    reconciliation.grant(reconciler_role, "dynamodb:Scan", "dynamodb:UpdateItem")
    own_agreements = {
        "StringEquals": {"aws-marketplace:PartyType": "Proposer"},
        "ForAllValues:StringEquals": {"aws-marketplace:AgreementType": "PurchaseAgreement"},
    }
    for action in ("GetEntitlements", "SearchAgreements", "GetAgreementEntitlements"):
        iam.Policy(
            scope,
            f"Reconciler{action}",
            roles=[reconciler_role],
            statements=[
                iam.PolicyStatement(
                    actions=[f"aws-marketplace:{action}"],
                    resources=["*"],
                    conditions=own_agreements if action == "SearchAgreements" else None,
                )
            ],
        )
    events.Rule(
        scope,
        "Schedule",
        description="Runs the reconciler every hour",
        schedule=events.Schedule.rate(_HOUR),
        targets=[targets.LambdaFunction(reconciler, event=events.RuleTargetInput.from_object({}))],
    )
    logs.CfnQueryDefinition(
        scope,
        "LostBuyers",
        name="LostBuyers",
        query_string="\n| ".join(LOST_BUYERS),
        log_group_names=[reconciler_log.log_group_name],
    )

    namespace = f"MarketplaceSubscriptions/{subscriber.function_name}"
    counts = {
        name: _metric_filter(scope, name, log, namespace, _any_of(outcomes))
        for log, count in ((subscriber_log, EVENTS), (publisher_log, UNPUBLISHED))
        for name, outcomes in count.items()
    }
    for name, kind in PUBLISHED.items():
        published = f'{{ ($.outcome = "published") && ($.detail_type = "{kind}") }}'
        _metric_filter(scope, name, publisher_log, namespace, published)
    for name, outcomes in RECONCILED.items():
        any_of = _any_of(outcomes).removeprefix("{ ").removesuffix(" }")
        run = '$.run = "hourly"' if name in NOT_OF_THE_FIRST_RUN else '($.run = "hourly") || ($.run = "first")'
        pattern = f"{{ ({run}) && ({any_of}) }}"
        counts[name] = _metric_filter(scope, name, reconciler_log, namespace, pattern)
    for name, field in RECONCILIATION_COUNTS.items():
        pattern = f'{{ ($.run = "hourly") && ($.{field} = *) }}'
        counts[name] = _metric_filter(scope, name, reconciler_log, namespace, pattern, value=f"$.{field}")
    metrics = {
        "EventsDelayed": queue.metric_approximate_age_of_oldest_message(period=_PERIOD),
        "EventsDead": dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD),
        "EventsUndelivered": cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="FailedInvocations",
            dimensions_map={"RuleName": rule.rule_name},
            statistic=cloudwatch.Stats.SUM,
            period=_PERIOD,
        ),
        "SubscriberErrors": subscriber.metric_errors(period=_PERIOD),
        "SubscriberThrottles": subscriber.metric_throttles(period=_PERIOD),
        "PublicationsDelayed": publisher.metric("IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=_PERIOD),
        "PublicationsDead": publisher_dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD),
        "PublisherErrors": publisher.metric_errors(period=_PERIOD),
        "PublisherThrottles": publisher.metric_throttles(period=_PERIOD),
        "ReconcilerErrors": reconciler.metric_errors(period=_HOUR),
        "EventsMissed": counts["EventsMissed"].metric(statistic=cloudwatch.Stats.SUM, period=_HOUR),
        "AgreementsRefused": counts["AgreementsRefused"].metric(statistic=cloudwatch.Stats.SUM, period=_HOUR),
    }
    for name in (*_ALARMED_EVENTS, "PublicationsFailed"):
        metrics[name] = counts[name].metric(statistic=cloudwatch.Stats.SUM, period=_PERIOD)
    for name in RECONCILIATION_COUNTS:
        metrics[name] = counts[name].metric(statistic=cloudwatch.Stats.MAXIMUM, period=_HOUR)
    for name, metric in metrics.items():
        _alarm(scope, name, metric)
    cloudwatch.Alarm(
        scope,
        "ReconciliationsLateAlarm",
        metric=counts["ReconciliationsFinished"].metric(statistic=cloudwatch.Stats.SUM, period=_HOUR),
        threshold=1,
        evaluation_periods=3,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
    )


def _function(
    scope: Construct,
    name: str,
    *,
    package: str,
    description: str,
    asset: str,
    memory_size: int,
    timeout_seconds: int,
    environment: Mapping[str, str],
) -> tuple[iam.Role, logs.LogGroup, lambda_.Function]:
    log = logs.LogGroup(scope, f"{name}Log", retention=logs.RetentionDays.ONE_YEAR)
    role = iam.Role(scope, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log.grant_write(role)
    function = lambda_.Function(
        scope,
        f"{name}Function",
        description=description,
        code=lambda_.Code.from_asset(asset, exclude=[COMPILED], follow_symlinks=SymlinkFollowMode.ALWAYS),
        handler=f"{package}.main.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        memory_size=memory_size,
        timeout=Duration.seconds(timeout_seconds),
        environment=environment,
        role=role,
        log_group=log,
        logging_format=lambda_.LoggingFormat.JSON,
    )
    return role, log, function


def _queue(
    scope: Construct,
    name: str,
    *,
    visibility_timeout: Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    return sqs.Queue(
        scope,
        name,
        retention_period=Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )


def _any_of(outcomes: tuple[str, ...]) -> str:
    pattern = " || ".join(f'($.outcome = "{outcome}")' for outcome in outcomes)
    return f"{{ {pattern} }}"


def _metric_filter(
    scope: Construct, name: str, log_group: logs.ILogGroup, namespace: str, pattern: str, *, value: str = "1"
) -> logs.MetricFilter:
    return logs.MetricFilter(
        scope,
        f"{name}Filter",
        log_group=log_group,
        filter_pattern=logs.FilterPattern.literal(pattern),
        metric_namespace=namespace,
        metric_name=name,
        metric_value=value,
    )


def _alarm(scope: Construct, name: str, metric: cloudwatch.IMetric) -> None:
    cloudwatch.Alarm(
        scope,
        name,
        alarm_description=f"The metric {name} is at its threshold.",
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
