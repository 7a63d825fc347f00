"""A Lambda function with its asset, log group and role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, SymlinkFollowMode
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from constructs_lib._acknowledged import acknowledge
from constructs_lib.functions._asset import COMPILED
from constructs_lib.functions._log_group import make_log_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_logs as logs

    from constructs_lib.functions._asset import FunctionAsset


_NOT_ASYNCHRONOUS = "It is not invoked asynchronously: whoever invokes it learns of a failure."


class LambdaFunction(Construct):
    """Runs an asset with a role that may write the function's log, and nothing else until it is granted more.

    Args:
        scope: the construct that uses the function.
        construct_id: unique in ``scope``.
        asset: the function's code; its package has ``main.handler``.
        description: of the function.
        timeout_seconds: how long one invocation may take.
        memory_mib: memory in MiB, and CPU with it.
        environment: what the function's settings read.
        reserved_concurrent_executions: what of the account's concurrency is the function's alone, and its limit.
        encryption_key: encrypts the log group and the environment variables; by default the services' own keys do.
            What grants the role the use of its data grants the use of this key too.
        log_retention: how long the log is kept.
        removal_policy: of the log group.
        reasons: rules of cdk-nag and checkov that do not apply to this function for a reason of its own.

    Attributes:
        function: the Lambda function.
        role: the function's.
        log_group: the function's JSON log.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        asset: FunctionAsset,
        description: str,
        timeout_seconds: int,
        memory_mib: int,
        environment: Mapping[str, str],
        reserved_concurrent_executions: int | None,
        encryption_key: kms.IKey | None,
        log_retention: logs.RetentionDays,
        removal_policy: RemovalPolicy,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        asset.make_readable()
        self.log_group = make_log_group(
            self,
            "Log",
            encryption_key=encryption_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        # A role of its own: the default role's managed policy may write to every log group of the account.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=lambda_.Code.from_asset(
                # In a checkout the packages are links to lambda_src.
                str(asset.folder),
                exclude=[COMPILED],
                follow_symlinks=SymlinkFollowMode.ALWAYS,
            ),
            handler=f"{asset.package}.main.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mib,
            timeout=Duration.seconds(timeout_seconds),
            environment=environment,
            environment_encryption=encryption_key,
            reserved_concurrent_executions=reserved_concurrent_executions,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Explicit: at WARN every success line, and every metric made of one, would vanish.
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
        )
        tested = f"The {asset.package} is tested on Python 3.13, which Lambda supports; another comes with a release."
        acknowledge(
            self.function,
            {
                "AwsSolutions-L1": tested,
                "Serverless-LambdaLatestVersion": tested,
                "Serverless-LambdaDLQ": _NOT_ASYNCHRONOUS,
                "Serverless-LambdaTracing": "The log line of each request has the time of every call to AWS.",
                "CKV_AWS_115": "Reserved concurrency is taken from the account's: it is the seller's to decide, by "
                "reserved_concurrent_executions.",
                "CKV_AWS_116": _NOT_ASYNCHRONOUS,
                "CKV_AWS_117": "It calls public endpoints of AWS only.",
                "CKV_AWS_173": "There is no secret in the variables; encryption_key encrypts them if it is given.",
                **(reasons or {}),
            },
        )
