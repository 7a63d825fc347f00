"""The settings that the construct writes into the environment, and their only reader."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """The configuration of one deployed reconciler.

    Attributes:
        products: the product codes whose agreements are compared (``PRODUCTS``, a JSON list).
        registrations_table: name or ARN (``REGISTRATIONS_TABLE``).
        reconciliation_table: name or ARN of the reconciler's own table (``RECONCILIATION_TABLE``).
        lost_buyer_delay: how long a license is active before its buyer is lost, if nobody has registered
            (``LOST_BUYER_DELAY_SECONDS``).
        agreements_region: region of the Agreement API (``AGREEMENTS_REGION``, by default us-east-1, the only one in the
            partition ``aws``).
        entitlements_region: region in which GetEntitlements is called (``ENTITLEMENTS_REGION``, by default us-east-1).
        seller_role_arn: role in the publishing account (``SELLER_ROLE_ARN``), or None for the function's own role.
        seller_role_external_id: external ID that the role requires (``SELLER_ROLE_EXTERNAL_ID``), or None.
    """

    products: frozenset[str]
    registrations_table: str
    reconciliation_table: str
    lost_buyer_delay: timedelta
    agreements_region: str
    entitlements_region: str
    seller_role_arn: str | None
    seller_role_external_id: str | None

    @property
    def seller_account(self) -> str | None:
        """The publishing account, or None if it is the function's own."""
        return self.seller_role_arn.split(":")[4] if self.seller_role_arn else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that the construct sets.

        Raises:
            KeyError: a required variable is missing.
        """
        return cls(
            products=frozenset(json.loads(environment["PRODUCTS"])),
            registrations_table=environment["REGISTRATIONS_TABLE"],
            reconciliation_table=environment["RECONCILIATION_TABLE"],
            lost_buyer_delay=timedelta(seconds=int(environment["LOST_BUYER_DELAY_SECONDS"])),
            agreements_region=environment.get("AGREEMENTS_REGION", "us-east-1"),
            entitlements_region=environment.get("ENTITLEMENTS_REGION", "us-east-1"),
            seller_role_arn=environment.get("SELLER_ROLE_ARN"),
            seller_role_external_id=environment.get("SELLER_ROLE_EXTERNAL_ID"),
        )
