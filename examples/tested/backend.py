"""The seller's own code that redeems tokens: a former fulfillment URL, until the listing has the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient


class StartAgainError(Exception):
    """The registration token is unknown or expired: the buyer must start again from AWS Marketplace."""


def tenant_of(token: str, *, metering: MarketplaceMeteringClient) -> str:
    """Return the tenant to open for a buyer: one per license, or per account if there is no license.

    Args:
        token: as the buyer's browser posted it.
        metering: boto3's ``meteringmarketplace``.

    Raises:
        StartAgainError: the registration token is unknown or expired.
    """
    try:
        buyer = metering.resolve_customer(RegistrationToken=token)
    except (metering.exceptions.InvalidTokenException, metering.exceptions.ExpiredTokenException):
        raise StartAgainError from None
    return buyer.get("LicenseArn") or buyer["CustomerAWSAccountId"]
