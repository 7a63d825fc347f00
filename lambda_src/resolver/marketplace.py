"""The only user of AWS Marketplace Metering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name
from botocore.parsers import ResponseParserError

from resolver.registration import (
    Customer,
    MarketplaceRefusedError,
    MarketplaceThrottledError,
    MarketplaceUnavailableError,
    RegistrationError,
    TokenExpiredError,
    TokenInvalidError,
)

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

_HTTP_SERVER_ERROR = 500

# Every other refusal is the operator's to mend. ``Throttling`` is what STS says where a seller's role is assumed.
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
            MarketplaceThrottledError, MarketplaceUnavailableError: after every retry; worth repeating.
            MarketplaceRefusedError: any other refusal, and an answer that names no account or no product.
        """
        # ``from None``: AWS's own message may quote the token and must not travel with a traceback.
        try:
            answer = self._client.resolve_customer(RegistrationToken=registration_token)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= _HTTP_SERVER_ERROR:
                raise MarketplaceUnavailableError(code) from None
            raise _ERRORS.get(code, MarketplaceRefusedError)(code) from None
        except (ConnectionError, HTTPClientError, ResponseParserError) as error:
            raise MarketplaceUnavailableError(type(error).__name__) from None

        # No member is required by the service model, and a new SaaS product has no CustomerIdentifier.
        account, product = answer.get("CustomerAWSAccountId"), answer.get("ProductCode")
        if not account or not product:
            raise MarketplaceRefusedError("AnswerWithoutAccountOrProduct")
        customer: Customer = {"CustomerAWSAccountId": account, "ProductCode": product}
        if license_arn := answer.get("LicenseArn"):
            customer["LicenseArn"] = license_arn
        if agreement_id := answer.get("Metadata", {}).get("AgreementId"):
            customer["AgreementId"] = agreement_id
        if customer_identifier := answer.get("CustomerIdentifier"):
            customer["CustomerIdentifier"] = customer_identifier
        return customer
