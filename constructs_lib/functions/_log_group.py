"""Log groups, and CloudWatch Logs' use of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.region_info import RegionInfo

from constructs_lib._acknowledged import acknowledge

if TYPE_CHECKING:
    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_kms as kms
    from constructs import Construct


def make_log_group(
    scope: Construct,
    construct_id: str,
    *,
    encryption_key: kms.IKey | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
) -> logs.LogGroup:
    """Make a log group; without a key, CloudWatch Logs encrypts it with its own."""
    log_group = logs.LogGroup(
        scope, construct_id, encryption_key=encryption_key, retention=log_retention, removal_policy=removal_policy
    )
    acknowledge(
        log_group,
        {"CKV_AWS_158": "CloudWatch Logs encrypts every log group; with a key of yours if encryption_key is given."},
    )
    return log_group


def allow_logs_to_use(key: kms.IKey, stack: Stack) -> None:
    """Let CloudWatch Logs encrypt this account's log groups; an imported key's policy is its owner's to write.

    Of the principals used here, it alone is named after the partition: in China it ends in ``amazonaws.com.cn``.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    suffix = RegionInfo.get(stack.region).domain_suffix or Aws.URL_SUFFIX
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.{suffix}")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="*",
                        arn_format=ArnFormat.COLON_RESOURCE_NAME,
                    )
                }
            },
        )
    )
