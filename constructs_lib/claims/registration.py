"""The registration that a claim returns."""

from typing import NotRequired, TypedDict


class Registration(TypedDict):
    """A buyer's registration, under the member names of ResolveCustomer.

    Attributes:
        CustomerAWSAccountId: The buyer's AWS account.
        ProductCode: The product.
        LicenseArn: The license; absent for a product without licenses.
        AgreementId: The agreement, if Marketplace returned it.
        CustomerIdentifier: The buyer's identifier, if Marketplace returned it.
        OfferType: ``free-trial``; absent for other offers.
        RegisteredAt: When the buyer first registered, ISO 8601 in UTC.
        LastRegisteredAt: When the buyer last registered, ISO 8601 in UTC.
    """

    CustomerAWSAccountId: str
    ProductCode: str
    LicenseArn: NotRequired[str]
    AgreementId: NotRequired[str]
    CustomerIdentifier: NotRequired[str]
    OfferType: NotRequired[str]
    RegisteredAt: str
    LastRegisteredAt: str
