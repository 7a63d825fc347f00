"""The seller's own code: the landing page, and a former fulfillment URL, until the listing has the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.claims import ClaimRejectedError, ClaimUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

    from constructs_lib.claims import ClaimClient


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


def landing_page(registration_code: str, *, claims: ClaimClient) -> str:
    """Return the text of the landing page.

    Args:
        registration_code: as the buyer's browser brought it.
        claims: the claim client.
    """
    try:
        registration = claims.claim(registration_code)
    except ClaimRejectedError:
        return "Go back to AWS Marketplace and press “Set up your account” again."
    except ClaimUnavailableError:
        return "Please reload this page in a few seconds."
    return f"Create your account for AWS account {registration['CustomerAWSAccountId']}."
