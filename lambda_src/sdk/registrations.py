"""The items of the registrations table, and their attributes.

A buyer's partition, ``CustomerAWSAccountId``, has two kinds of item. A *license*, ``ProductCode#LicenseArn``, is also
the registration of a buyer who registered with it; a *legacy registration*, ``ProductCode#``, has no license of its own
and stands for all licenses of the product in the partition. An *agreement* is ``#AgreementId``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTITION_KEY = "CustomerAWSAccountId"
SORT_KEY = "ProductLicense"

ACTIVE: Literal["ACTIVE"] = "ACTIVE"
DEPROVISIONED: Literal["DEPROVISIONED"] = "DEPROVISIONED"

AGREEMENT_TERMS = (
    "AgreementIntent",
    "AgreementAcceptedAt",
    "AgreementStartsAt",
    "AgreementEndsAt",
    "PreviousAgreementId",
    "OfferId",
    "ProposerAccountId",
)
"""What an agreement's Created and Amended events say; other events leave it."""

TEXTS = (
    PARTITION_KEY,
    "ProductCode",
    "LicenseArn",
    "AgreementId",
    "CustomerIdentifier",
    "OfferType",
    "RegisteredAt",
    "LastRegisteredAt",
    "LicenseStatus",
    "LicenseStatusAt",
    "LicenseAgreementId",
    "ProductId",
    "EntitlementsAt",
    "AgreementStatus",
    "AgreementStatusAt",
    *AGREEMENT_TERMS,
    "AgreementTermsAt",
)
"""The public attributes that are strings; ``Entitlements`` is the other one."""


class Entitlement(TypedDict, total=False):
    """An entitlement as GetEntitlements returned it; ``Value`` has one member, named after its type."""

    Dimension: str
    Value: Mapping[str, int | float | bool | str]
    ExpirationDate: str


Item = dict[str, Any]
"""The public attributes of an item, and its sort key."""
