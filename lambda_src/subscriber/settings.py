"""The settings that the construct writes into the environment, and their only reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """The configuration of one deployed subscriber.

    Attributes:
        products: the product codes whose licenses are recorded (``PRODUCTS``, a JSON list).
        registrations_table: name or ARN (``REGISTRATIONS_TABLE``).
        entitlements_region: region in which GetEntitlements is called (``ENTITLEMENTS_REGION``, by default us-east-1,
            the only one in the partition ``aws``).
        reconciliation_table: name or ARN of the reconciliation's table (``RECONCILIATION_TABLE``), or None without a
            reconciliation.
        seller_role_arn: role in the publishing account (``SELLER_ROLE_ARN``), or None for the function's own role.
        seller_role_external_id: external ID that the role requires (``SELLER_ROLE_EXTERNAL_ID``), or None.
    """

    products: frozenset[str]
    registrations_table: str
    entitlements_region: str
    reconciliation_table: str | None
    seller_role_arn: str | None
    seller_role_external_id: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that the construct sets.

        Raises:
            KeyError: a required variable is missing.
        """
        return cls(
            products=frozenset(json.loads(environment["PRODUCTS"])),
            registrations_table=environment["REGISTRATIONS_TABLE"],
            entitlements_region=environment.get("ENTITLEMENTS_REGION", "us-east-1"),
            reconciliation_table=environment.get("RECONCILIATION_TABLE"),
            seller_role_arn=environment.get("SELLER_ROLE_ARN"),
            seller_role_external_id=environment.get("SELLER_ROLE_EXTERNAL_ID"),
        )
