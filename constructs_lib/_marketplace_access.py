"""The permission to call AWS Marketplace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from constructs_lib._acknowledged import acknowledge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct


def grant_resolve_customer(scope: Construct, role: iam.IRole) -> None:
    """Let a role redeem registration tokens, by a policy of its own below ``scope``.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmarketplacemeteringservice.html
    """
    _grant(scope, role, "ResolveCustomer")


def grant_get_entitlements(scope: Construct, role: iam.IRole) -> None:
    """Let a role read entitlements, by a policy of its own below ``scope``.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmarketplaceentitlementservice.html
    """
    _grant(scope, role, "GetEntitlements")


def grant_agreements(scope: Construct, role: iam.IRole) -> None:
    """Let a role find the seller's own agreements and their licenses, by a policy for each call below ``scope``.

    The conditions are those of AWS's managed policy for sellers. Not confirmed is whether GetAgreementEntitlements has
    the agreement's type, so it has no condition.

    https://docs.aws.amazon.com/marketplace/latest/APIReference/agreement-api-access-control.html
    """
    conditions = {
        "StringEquals": {"aws-marketplace:PartyType": "Proposer"},
        "ForAllValues:StringEquals": {"aws-marketplace:AgreementType": "PurchaseAgreement"},
    }
    _grant(scope, role, "SearchAgreements", conditions)
    _grant(scope, role, "GetAgreementEntitlements")


def _grant(
    scope: Construct, role: iam.IRole, operation: str, conditions: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    action = f"aws-marketplace:{operation}"
    policy = iam.Policy(
        scope,
        operation,
        roles=[role],
        statements=[iam.PolicyStatement(actions=[action], resources=["*"], conditions=conditions)],
    )
    acknowledge(
        policy,
        {
            "AwsSolutions-IAM5[Resource::*]": f"{action} has no resource types: the wildcard is the one resource it "
            "takes."
        },
    )
