"""The role in the account that published the product."""

from __future__ import annotations

import re

import jsii
from aws_cdk import Acknowledgment, Token, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def validate_external_id(parameter: str, external_id: str | None) -> None:
    """Refuse what STS refuses; above all an empty one, that would pass for none."""
    if external_id is None or Token.is_unresolved(external_id) or _EXTERNAL_ID.fullmatch(external_id):
        return
    raise ValueError(
        f"{parameter}: must be 2 to 1224 characters out of letters, digits and _+=,.@:/-, got {external_id!r}"
    )


def grant_resolve_customer(scope: Construct, role: iam.IRole) -> None:
    """Let a role redeem tokens, in a policy of its own below ``scope``.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmarketplacemeteringservice.html
    """
    policy = iam.Policy(
        scope,
        "ResolveCustomer",
        roles=[role],
        statements=[iam.PolicyStatement(actions=["aws-marketplace:ResolveCustomer"], resources=["*"])],
    )
    Validations.of(policy).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            reason="aws-marketplace:ResolveCustomer has no resource types: the wildcard is the one resource it takes.",
        )
    )


@jsii.implements(iam.IGrantable)
class MarketplaceSellerRole(Construct):
    """Lets a resolver in another account redeem tokens; deployed in the account that published the product.

    Marketplace answers ResolveCustomer only to the account that published the product. A seller who runs the product
    in another account gives ``role.role_arn`` to ``MarketplaceRegistration(seller_role=…)`` there.

    Args:
        scope: the stack in the publishing account.
        construct_id: unique in ``scope``.
        trusted: who may assume the role: the product's account, or better the resolver's role.
        external_id: what the resolver must show to assume it; by default nothing.

    Raises:
        ValueError: ``external_id`` is none that STS takes.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, trusted: iam.IPrincipal, external_id: str | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        validate_external_id("external_id", external_id)
        self._role = iam.Role(
            self,
            "Role",
            description="Redeems AWS Marketplace registration tokens for the account that runs the product",
            assumed_by=trusted,
            external_ids=[external_id] if external_id else None,
        )
        grant_resolve_customer(self, self._role)

    @property
    def role(self) -> iam.Role:
        """The role to assume."""
        return self._role

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The role, for further grants."""
        return self._role.grant_principal
