"""The settings that the construct writes into the environment, and their only reader."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """The configuration of one deployed resolver.

    Attributes:
        products: product code to landing page URL.
        registrations_table: name or ARN.
        claims_table: name.
        claim_ttl: how long a registration code can be claimed.
        marketplace_region: region in which ResolveCustomer is called.
        seller_role_arn: role in the publishing account, or None for the function's own role.
        seller_role_external_id: external ID that the role requires, or None.
        support_url: link on the pages that a buyer sees, or None.
        login_url: link on the pages that a buyer sees, or None.
        subscriptions: whether a claim tells the status and the entitlements that a subscriber records.
    """

    products: Mapping[str, str]
    registrations_table: str
    claims_table: str
    claim_ttl: timedelta
    marketplace_region: str
    seller_role_arn: str | None
    seller_role_external_id: str | None
    support_url: str | None
    login_url: str | None
    subscriptions: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that the construct sets.

        Raises:
            KeyError: a required variable is missing.
        """
        return cls(
            products=json.loads(environment["PRODUCTS"]),
            registrations_table=environment["REGISTRATIONS_TABLE"],
            claims_table=environment["CLAIMS_TABLE"],
            claim_ttl=timedelta(seconds=int(environment["CLAIM_TTL_SECONDS"])),
            marketplace_region=environment["MARKETPLACE_REGION"],
            seller_role_arn=environment.get("SELLER_ROLE_ARN"),
            seller_role_external_id=environment.get("SELLER_ROLE_EXTERNAL_ID"),
            support_url=environment.get("SUPPORT_URL"),
            login_url=environment.get("LOGIN_URL"),
            subscriptions=environment.get("SUBSCRIPTIONS") == "true",
        )
