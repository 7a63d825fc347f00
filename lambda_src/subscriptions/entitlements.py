"""The adapter of AWS Marketplace's entitlement service."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC
from typing import TYPE_CHECKING, Any, Protocol, cast

from subscriptions.calls import of_marketplace

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sdk.deadline import Deadline
    from sdk.registrations import Entitlement


class Client(Protocol):
    """boto3's ``marketplace-entitlement``, as far as it is used."""

    def get_entitlements(self, **request: Any) -> dict[str, Any]:
        """Return one page."""


class MarketplaceEntitlements:
    """Asks for entitlements with GetEntitlements.

    Args:
        client: with the credentials of the account that published the product.
        deadline: bounds each call.
        pace: what to wait for before a call of an operation; by default nothing.
    """

    def __init__(
        self,
        client: Client,
        deadline: Deadline,
        *,
        pace: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._pace = pace

    def of_license(self, product_code: str, license_arn: str) -> list[Entitlement]:
        """Return a license's entitlements, of all pages.

        Raises:
            MarketplaceThrottledError, MarketplaceUnavailableError: after every retry; worth retrying later.
            MarketplaceDeniedError: any other error.
        """
        # By the license: an account may have several of one product, whose entitlements would merge.
        request: dict[str, Any] = {"ProductCode": product_code, "Filter": {"LICENSE_ARN": [license_arn]}}
        entitlements: list[Entitlement] = []
        while True:
            with self._pace("get_entitlements"), of_marketplace(self._deadline):
                page = self._client.get_entitlements(**request)
            entitlements += map(_entitlement, page.get("Entitlements", ()))
            # A page may be empty and still have a next one.
            if not page.get("NextToken"):
                return entitlements
            request["NextToken"] = page["NextToken"]


def _entitlement(given: dict[str, Any]) -> Entitlement:
    entitlement: dict[str, Any] = {name: given[name] for name in ("Dimension", "Value") if name in given}
    if "ExpirationDate" in given:
        entitlement["ExpirationDate"] = given["ExpirationDate"].astimezone(UTC).isoformat()
    return cast("Entitlement", entitlement)
