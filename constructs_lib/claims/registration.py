"""The registration that a claim returns."""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict


class Entitlement(TypedDict):
    """An entitlement, as GetEntitlements returned it.

    Attributes:
        Dimension: The dimension of the product.
        Value: One member, named after its type: ``IntegerValue``, ``DoubleValue``, ``BooleanValue`` or ``StringValue``.
        ExpirationDate: The earliest time at which it may end, ISO 8601 in UTC; it is no end.
    """

    Dimension: str
    Value: NotRequired[Mapping[str, int | float | bool | str]]
    ExpirationDate: NotRequired[str]


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
        LicenseStatus: Whether the buyer may use the product. Absent until AWS Marketplace's event has come, and without
            ``MarketplaceSubscriptions``.
        Entitlements: Of an active license; absent until they are known.
    """

    CustomerAWSAccountId: str
    ProductCode: str
    LicenseArn: NotRequired[str]
    AgreementId: NotRequired[str]
    CustomerIdentifier: NotRequired[str]
    OfferType: NotRequired[str]
    RegisteredAt: str
    LastRegisteredAt: str
    LicenseStatus: NotRequired[Literal["ACTIVE", "DEPROVISIONED"]]
    Entitlements: NotRequired[list[Entitlement]]
