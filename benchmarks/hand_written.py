"""The resources of one ``MarketplaceRegistration`` written by hand, to measure the construct's synth against.

It is what the stack of a seller without the construct would hold: the CDK's own constructs one after the other, with
all that is decided known while writing, and the function's code in a folder. A test holds that the resources are those
of the construct, but for logical ids and the wording of descriptions. Left out is what the construct acknowledges for
cdk-nag, which is not in the template.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

if TYPE_CHECKING:
    from constructs import Construct


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
    """Make the resources in ``scope``, with the function's code from the folder ``asset``."""
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
        description="Redeems registration tokens of AWS Marketplace and answers claims",
        code=lambda_.Code.from_asset(asset),
        handler="resolver.main.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        memory_size=1769,
        timeout=Duration.seconds(29),
        environment={
            "PRODUCTS": '{"a290sds6en72spp3ph4q890es":"https://app.example.com/signup"}',
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
    api.add_routes(path="/register", methods=[apigwv2.HttpMethod.GET, apigwv2.HttpMethod.POST], integration=integration)
    api.add_routes(
        path="/claim", methods=[apigwv2.HttpMethod.POST], integration=integration, authorizer=HttpIamAuthorizer()
    )

    namespace = f"MarketplaceRegistration/{function.function_name}"
    five_minutes = Duration.minutes(5)

    def count(name: str, pattern: str, *, log_group: logs.ILogGroup = log, value: str = "1") -> logs.MetricFilter:
        return logs.MetricFilter(
            scope,
            f"{name}Filter",
            log_group=log_group,
            filter_pattern=logs.FilterPattern.literal(pattern),
            metric_namespace=namespace,
            metric_name=name,
            metric_value=value,
        )

    def alarm(name: str, metric: cloudwatch.Metric, threshold: float, description: str) -> None:
        cloudwatch.Alarm(
            scope,
            name,
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    count("Registrations", '{ ($.outcome = "registered") || ($.outcome = "registered_again") }')
    count("Claims", '{ $.outcome = "claimed" }')
    count("BadRequests", '{ $.outcome = "bad_request" }')
    count("ClaimsRefused", '{ $.outcome = "claim_refused" }')
    count("MarketplaceTime", "{ $.resolve_customer_ms = * }", value="$.resolve_customer_ms")
    count("StoreTime", "{ $.write_registration_ms = * }", value="$.write_registration_ms")

    tokens_refused = count("TokensRefused", '{ ($.outcome = "token_invalid") || ($.outcome = "token_expired") }')
    alarm(
        "TokensRefused",
        tokens_refused.metric(statistic=cloudwatch.Stats.SUM, period=Duration.minutes(15)),
        20,
        "Many tokens are refused. Press the listing's button yourself.",
    )
    api_throttled = count("ApiThrottled", '{ $.status = "429" }', log_group=access_log)
    alarm(
        "ApiThrottled",
        api_throttled.metric(statistic=cloudwatch.Stats.SUM, period=five_minutes),
        1,
        "Requests are turned away with 429. The access log says who sends so many.",
    )
    for name, outcome, threshold, description in (
        (
            "MarketplaceThrottled",
            "marketplace_throttled",
            1,
            "AWS Marketplace throttles us. See whether somebody sends tokens, and ask AWS for a higher limit.",
        ),
        (
            "MarketplaceUnavailable",
            "marketplace_unavailable",
            3,
            "AWS Marketplace does not answer. See the AWS Health Dashboard.",
        ),
        (
            "MarketplaceRefused",
            "marketplace_refused",
            1,
            "AWS Marketplace refuses us, and no buyer can register. The log says why.",
        ),
        ("StoreUnavailable", "store_unavailable", 1, "DynamoDB fails or refuses us. The log says why."),
        (
            "ProductsRefused",
            "product_refused",
            1,
            "A buyer of a product that we do not know was turned away. The log has its code.",
        ),
    ):
        counted = count(name, f'{{ $.outcome = "{outcome}" }}')
        alarm(name, counted.metric(statistic=cloudwatch.Stats.SUM, period=five_minutes), threshold, description)

    alarm(
        "ApiServerErrors",
        api.metric_server_error(statistic=cloudwatch.Stats.SUM, period=five_minutes),
        3,
        "Buyers get an error page. The logs say what fails.",
    )
    alarm(
        "ResolverErrors",
        function.metric_errors(period=five_minutes),
        1,
        "The function fails in a way that it does not know. Its log has the traceback.",
    )
    alarm(
        "ResolverThrottles",
        function.metric_throttles(period=five_minutes),
        1,
        "Lambda throttles the function. See who uses up the account's concurrency.",
    )
    alarm(
        "ResolverSlow",
        function.metric_duration(statistic=cloudwatch.Stats.p(99), period=five_minutes),
        5800,
        "Buyers wait long. The log says which call takes the time.",
    )
    for name, table, operations in (
        ("Registrations", registrations, ("GetItem", "UpdateItem")),
        ("Claims", claims, ("GetItem", "PutItem", "UpdateItem")),
    ):
        for kind in ("Read", "Write"):
            alarm(
                f"{name}{kind}Throttled",
                table.metric(f"{kind}ThrottleEvents", statistic=cloudwatch.Stats.SUM, period=five_minutes),
                1,
                "DynamoDB throttles the table. See who uses it so much.",
            )
        for operation in operations:
            alarm(
                f"{name}{operation}Fails",
                cloudwatch.Metric(
                    namespace="AWS/DynamoDB",
                    metric_name="SystemErrors",
                    dimensions_map={"TableName": table.table_name, "Operation": operation},
                    statistic=cloudwatch.Stats.SUM,
                    period=five_minutes,
                ),
                3,
                "DynamoDB itself fails. See the AWS Health Dashboard.",
            )
