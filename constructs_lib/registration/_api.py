"""The HTTP API of a registration construct: its stage, access log and routes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsii
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from constructs_lib._acknowledged import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_logs as logs
    from constructs import Construct

# What the access log records of a request: enough to count and find it, nothing that a caller could hide a secret in.
_ACCESS_LOG_FORMAT = {
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

# https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html
_MAX_NAME = 128


@jsii.implements(apigwv2.IAccessLogSettings)
class _AccessLog:
    def __init__(self, log_group: logs.ILogGroup) -> None:
        self._destination = apigwv2.LogGroupLogDestination(log_group)
        self._format = apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG_FORMAT))

    @property
    def destination(self) -> apigwv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return self._format


def make_api(
    scope: Construct,
    *,
    domain: apigwv2.DomainMappingOptions | None,
    keep_execute_api_endpoint: bool,
    throttle: apigwv2.ThrottleSettings,
    access_log_group: logs.ILogGroup,
) -> tuple[apigwv2.HttpApi, apigwv2.HttpStage]:
    """Make the API and its one stage directly below ``scope``: the ids on their path are a contract."""
    api = apigwv2.HttpApi(
        scope,
        "Api",
        # A label in the console; the end of a long path says most.
        api_name=scope.node.path.replace("/", "-")[-_MAX_NAME:],
        description=f"AWS Marketplace registration, {scope.node.path}",
        create_default_stage=False,
        disable_execute_api_endpoint=domain is not None and not keep_execute_api_endpoint,
    )
    stage = api.add_stage(
        "Stage",
        stage_name="$default",
        auto_deploy=True,
        access_log_settings=_AccessLog(access_log_group),
        domain_mapping=domain,
        throttle=throttle,
    )
    return api, stage


def add_routes(api: apigwv2.HttpApi, resolver: lambda_.IFunction) -> None:
    """Let everyone reach ``/register``, and only signed requests reach ``/claim``."""
    integration = HttpLambdaIntegration("Resolver", resolver, scope_permission_to_route=False)
    methods = [apigwv2.HttpMethod.GET, apigwv2.HttpMethod.HEAD, apigwv2.HttpMethod.POST]
    # The second is for /register/: an HTTP API rejects a route that ends in a slash.
    open_routes = [
        route
        for path in ("/register", "/register/{proxy+}")
        for route in api.add_routes(path=path, methods=methods, integration=integration)
    ]
    for route in open_routes:
        acknowledge(
            route,
            {
                "AwsSolutions-APIG4": "A buyer's browser comes from AWS Marketplace without credentials; the token "
                "authenticates."
            },
        )
    api.add_routes(
        path="/claim", methods=[apigwv2.HttpMethod.POST], integration=integration, authorizer=HttpIamAuthorizer()
    )
