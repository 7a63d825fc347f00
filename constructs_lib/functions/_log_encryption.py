"""CloudWatch Logs' use of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.region_info import RegionInfo

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms


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
