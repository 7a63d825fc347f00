"""The function, its asset, its log group and its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from constructs_lib.resolver_asset import resolver_asset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_kms as kms

TIMEOUT_SECONDS = 29
"""Within the 30 seconds that an HTTP API waits; a request's calls, retries included, all end before."""

# Lambda gives CPU by memory: this is one whole CPU, and Python uses no second one. Most registrations are cold starts,
# nearly all CPU but for the waiting on Marketplace; at a few registrations a day the price does not show.
# docs/performance.md has both. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_MEMORY_MIB = 1769


class ResolverFunction(Construct):
    """Runs ``lambda_src/resolver`` with a role that may write its log, and nothing else until it is granted more.

    Args:
        environment: what the function's settings read.
        encryption_key: encrypts the log group; by default CloudWatch Logs' own key does.
        log_retention: how long the log is kept.
        removal_policy: of the log group.

    Attributes:
        function: the Lambda function.
        role: the function's.
        log_group: one JSON line for each request, besides the runtime's own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Mapping[str, str],
        encryption_key: kms.IKey | None,
        log_retention: logs.RetentionDays,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self, "Log", encryption_key=encryption_key, retention=log_retention, removal_policy=removal_policy
        )
        # A role of its own, as the managed policy of the default one may write to every log group of the account.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description="Redeems AWS Marketplace registration tokens and lets the product claim the registrations",
            code=lambda_.Code.from_asset(str(resolver_asset())),
            handler="resolver.main.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=_MEMORY_MIB,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
            environment=environment,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
        )
        Validations.of(self.function).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-L1",
                reason="The resolver is tested on Python 3.13, which Lambda supports; another comes with a release.",
            )
        )
