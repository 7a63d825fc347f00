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
    from sdk.deadline import Deadline

# What ResolveCustomer says of the buyer's token, with this status. The same words with another status, or from STS, are
# about the caller's credentials. Every other error needs the operator.
_HTTP_BAD_REQUEST = 400
_TOKEN_ERRORS: dict[str, type[RegistrationError]] = {
    "InvalidTokenException": TokenInvalidError,
    "ExpiredTokenException": TokenExpiredError,
}


class MarketplaceMetering:
    """Redeems registration tokens with ResolveCustomer.

    Args:
        client: boto3's ``meteringmarketplace``, with the credentials of the account that published the product.
        deadline: bounds each call.
    """

    def __init__(self, client: MarketplaceMeteringClient, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def resolve_customer(self, registration_token: str) -> Customer:
        """Redeem a token.

        Raises:
            TokenInvalidError, TokenExpiredError: final for this token.
            MarketplaceThrottledError, MarketplaceUnavailableError: after every retry; worth retrying later.
            MarketplaceDeniedError: any other error, and a response that names no account or no product.
        """
        try:
            with one_kind_of_error(self._deadline):
                response = self._client.resolve_customer(RegistrationToken=registration_token)
        except CallFailedError as failure:
            raise _error(failure)(failure.reason) from None

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


def _error(failure: CallFailedError) -> type[RegistrationError]:
    final: type[RegistrationError] = MarketplaceDeniedError
    if failure.operation == "ResolveCustomer" and failure.status == _HTTP_BAD_REQUEST:
        final = _TOKEN_ERRORS.get(failure.reason, final)
    return failure.choose(throttled=MarketplaceThrottledError, unavailable=MarketplaceUnavailableError, otherwise=final)
