"""The adapter of AWS Marketplace Metering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolver.errors import (
    MarketplaceDeniedError,
    MarketplaceThrottledError,
    MarketplaceUnavailableError,
    RegistrationError,
    TokenExpiredError,
    TokenInvalidError,
)
from sdk.errors import CallFailedError, one_kind_of_error

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

    from resolver.registration import Customer

_HTTP_SERVER_ERROR = 500

# Every other error needs the operator. STS reports throttling as ``Throttling`` when it assumes the seller's role.
_ERRORS: dict[str, type[RegistrationError]] = {
    "InvalidTokenException": TokenInvalidError,
    "ExpiredTokenException": TokenExpiredError,
    "ThrottlingException": MarketplaceThrottledError,
    "Throttling": MarketplaceThrottledError,
}


class MarketplaceMetering:
    """Redeems registration tokens with ResolveCustomer.

    Args:
        client: boto3's ``meteringmarketplace``, with the credentials of the account that published the product.
    """

    def __init__(self, client: MarketplaceMeteringClient) -> None:
        self._client = client

    def resolve_customer(self, registration_token: str) -> Customer:
        """Redeem a token.

        Raises:
            TokenInvalidError, TokenExpiredError: final for this token.
            MarketplaceThrottledError, MarketplaceUnavailableError: after every retry; worth retrying later.
            MarketplaceDeniedError: any other error, and a response that names no account or no product.
        """
        try:
            with one_kind_of_error():
                response = self._client.resolve_customer(RegistrationToken=registration_token)
        except CallFailedError as failure:
            if failure.status is None or failure.status >= _HTTP_SERVER_ERROR:
                raise MarketplaceUnavailableError(failure.reason) from None
            raise _ERRORS.get(failure.reason, MarketplaceDeniedError)(failure.reason) from None

        # The service model requires no member, and a new SaaS product has no CustomerIdentifier.
        account, product_code = response.get("CustomerAWSAccountId"), response.get("ProductCode")
        if not account or not product_code:
            raise MarketplaceDeniedError("AnswerWithoutAccountOrProduct")
        customer: Customer = {"CustomerAWSAccountId": account, "ProductCode": product_code}
        if license_arn := response.get("LicenseArn"):
            customer["LicenseArn"] = license_arn
        if agreement_id := response.get("Metadata", {}).get("AgreementId"):
            customer["AgreementId"] = agreement_id
        if customer_identifier := response.get("CustomerIdentifier"):
            customer["CustomerIdentifier"] = customer_identifier
        return customer
