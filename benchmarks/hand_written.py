"""The resources of one ``MarketplaceRegistration`` written by hand, to measure the construct's synth against.

This is the stack of a seller without the construct: the CDK's own constructs one after another, every decision made
while writing, and the function's code in a folder. A test checks that it makes as many resources of each type as the
construct does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration, RemovalPolicy, SymlinkFollowMode
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from constructs_lib.functions._asset import COMPILED
from constructs_lib.registration._outcomes import COUNTS, TIMES
from constructs_lib.registration._resolver import MEMORY_MIB, TIMEOUT_SECONDS
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
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


def registration(scope: Construct, *, asset: str) -> None:
    """Create the resources in ``scope``, with the function's code from the folder ``asset``."""
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

    log = logs.LogGroup(scope, "Log", retention=logs.RetentionDays.ONE_YEAR)
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log.grant_write(role)
    registrations.grant(role, "dynamodb:GetItem", "dynamodb:UpdateItem")
    claims.grant(role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
    iam.Policy(
        scope,
        "ResolveCustomer",
        roles=[role],
        statements=[iam.PolicyStatement(actions=["aws-marketplace:ResolveCustomer"], resources=["*"])],
    )
    function = lambda_.Function(
        scope,
        "Function",
        description="Redeems registration tokens of AWS Marketplace and responds to claims",
        code=lambda_.Code.from_asset(asset, exclude=[COMPILED], follow_symlinks=SymlinkFollowMode.ALWAYS),
        handler="resolver.main.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        memory_size=MEMORY_MIB,
        timeout=Duration.seconds(TIMEOUT_SECONDS),
        environment={
            "PRODUCTS": json.dumps({PRODUCT_CODE: LANDING_PAGE}),
            "REGISTRATIONS_TABLE": registrations.table_name,
            "CLAIMS_TABLE": claims.table_name,
            "CLAIM_TTL_SECONDS": "600",
            "MARKETPLACE_REGION": "us-east-1",
        },
        role=role,
        log_group=log,
        logging_format=lambda_.LoggingFormat.JSON,
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
    period = Duration.minutes(5)

    def metric_filter(
        name: str, pattern: str, *, value: str = "1", log_group: logs.ILogGroup = log
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

    counts = {}
    for name, outcomes in COUNTS.items():
        pattern = " || ".join(f'($.outcome = "{outcome}")' for outcome in outcomes)
        counts[name] = metric_filter(name, f"{{ {pattern} }}")
    for name, field in TIMES.items():
        metric_filter(name, f"{{ $.{field} = * }}", value=f"$.{field}")
    api_throttled = metric_filter("ApiThrottled", '{ $.status = "429" }', log_group=access_log)
    denied = '{ ($.routeKey = "POST /claim") && ($.status = "403") }'
    claims_denied = metric_filter("ClaimsDenied", denied, log_group=access_log)
    issued = " || ".join(f'($.outcome = "{outcome}")' for outcome in COUNTS["Registrations"])
    unclaimed = metric_filter("CodesUnclaimed", f"{{ {issued} }}")
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
        "ApiServerErrors": api.metric_server_error(statistic=cloudwatch.Stats.SUM, period=period),
        "RecurringServerErrors": api.metric_server_error(statistic=cloudwatch.Stats.SUM, period=Duration.hours(1)),
        "ApiThrottled": api_throttled.metric(statistic=cloudwatch.Stats.SUM, period=period),
        "ClaimsDenied": claims_denied.metric(statistic=cloudwatch.Stats.SUM, period=period),
        "CodesUnclaimed": unclaimed.metric(statistic=cloudwatch.Stats.SUM, period=Duration.days(1)),
        "ResolverErrors": function.metric_errors(period=period),
        "ResolverThrottles": function.metric_throttles(period=period),
        "ResolverSlow": function.metric_duration(statistic=cloudwatch.Stats.p(99), period=period),
    }
    for name in _ALARMED_COUNTS:
        metrics[name] = counts[name].metric(statistic=cloudwatch.Stats.SUM, period=period)
    for name, table, operations in (
        ("Registrations", registrations, ("GetItem", "UpdateItem")),
        ("Claims", claims, ("GetItem", "PutItem", "UpdateItem")),
    ):
        for kind in ("Read", "Write"):
            metrics[f"{name}{kind}Throttled"] = table.metric(
                f"{kind}ThrottleEvents", statistic=cloudwatch.Stats.SUM, period=period
            )
        for operation in operations:
            metrics[f"{name}{operation}Fails"] = cloudwatch.Metric(
                namespace="AWS/DynamoDB",
                metric_name="SystemErrors",
                dimensions_map={"TableName": table.table_name, "Operation": operation},
                statistic=cloudwatch.Stats.SUM,
                period=period,
            )
    for name, metric in metrics.items():
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
