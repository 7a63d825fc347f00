"""Code of the seller's own that redeems tokens: a fulfillment URL from before, until the listing has the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient


class StartAgainError(Exception):
    """The token is unknown or too old: the buyer goes back to AWS Marketplace."""


def tenant_of(token: str, *, metering: MarketplaceMeteringClient) -> str:
    """Return the tenant to open for a buyer: one for each license, or for each account where there is no license.

    Args:
        token: as the buyer's browser posted it.
        metering: boto3's ``meteringmarketplace``.

    Raises:
        StartAgainError: the token is unknown or too old.
    """
    try:
        buyer = metering.resolve_customer(RegistrationToken=token)
    except (metering.exceptions.InvalidTokenException, metering.exceptions.ExpiredTokenException):
        raise StartAgainError from None
    return buyer.get("LicenseArn") or buyer["CustomerAWSAccountId"]
