"""The role in the account that published the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsii
from aws_cdk import aws_iam as iam
from constructs import Construct

from constructs_lib._marketplace_access import grant_agreements, grant_get_entitlements, grant_resolve_customer
from constructs_lib._parameters import validate_external_id
from constructs_lib._types import BOOLEAN, CONSTRUCT_ID, SCOPE, Kind, check_types, implementation, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "trusted": implementation(
        'a principal, such as AccountPrincipal("111122223333")', "principal_account", iam.IPrincipal
    ),
    "external_id": text("a-value-of-your-own").or_none(),
    "subscriptions": BOOLEAN,
}


@jsii.implements(iam.IGrantable)
class MarketplaceSellerRole(Construct):
    """Lets a resolver in another account redeem registration tokens; deployed in the publishing account.

    Marketplace answers ResolveCustomer only for the account that published the product. A seller who runs the product
    in another account passes ``role.role_arn`` to ``MarketplaceRegistration(seller_role=…)`` there.

    Args:
        scope: the stack in the publishing account.
        construct_id: unique in ``scope``.
        trusted: the principal that may assume the role: the product's account or, better, the roles of the
            resolver and, with subscriptions, of the subscriber and the reconciler.
        external_id: the external ID that the resolver must present; by default none.
        subscriptions: lets the role read entitlements and find agreements too, as ``MarketplaceSubscriptions`` needs;
            the subscriber and the reconciler then assume the role as the resolver does. By default it may redeem tokens
            only.

    Raises:
        ValueError: a parameter is invalid, such as an ``external_id`` that STS does not accept.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        trusted: iam.IPrincipal,
        external_id: str | None = None,
        subscriptions: bool = False,
    ) -> None:
        check_types(_PARAMETERS, locals())
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
        if subscriptions:
            grant_get_entitlements(self, self._role)
            grant_agreements(self, self._role)

    @property
    def role(self) -> iam.Role:
        """The role to assume."""
        return self._role

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The role, for further grants."""
        return self._role.grant_principal
