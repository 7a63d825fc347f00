"""What another capability takes from a registration construct, so that a seller says it once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_logs as logs


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The parameters of a ``MarketplaceRegistration`` that are not about registrations alone, and its environment."""

    products: Mapping[str, str]
    seller_role: iam.IRole | None
    seller_role_external_id: str | None
    marketplace_region: str
    encryption_key: kms.IKey | None
    sdk_ua_app_id: str | None
    alarm_actions: Sequence[cloudwatch.IAlarmAction]
    ok_actions: Sequence[cloudwatch.IAlarmAction]
    runbook_url: str | None
    log_retention: logs.RetentionDays
    removal_policy: RemovalPolicy
    resolver_environment: Mapping[str, str]
