"""Stand-ins for AWS Marketplace and for the claim URL, to test a registration and a backend without them."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs_lib.testing.agreement_service import AgreementCall, AgreementOperation, AgreementService
    from constructs_lib.testing.claim_stand_in import ClaimCall, ClaimStandIn
    from constructs_lib.testing.entitlement_service import EntitlementService, GetEntitlementsCall
    from constructs_lib.testing.local_aws import LocalAws
    from constructs_lib.testing.local_aws_error import LocalAwsError
    from constructs_lib.testing.marketplace_customer import MarketplaceContact, MarketplaceCustomer
    from constructs_lib.testing.marketplace_events import MarketplaceEventType
    from constructs_lib.testing.marketplace_stand_in import MarketplaceOffer, MarketplaceStandIn, ResolveCustomerCall
    from constructs_lib.testing.movable_clock import MovableClock

__all__ = [
    "AgreementCall",
    "AgreementOperation",
    "AgreementService",
    "ClaimCall",
    "ClaimStandIn",
    "EntitlementService",
    "GetEntitlementsCall",
    "LocalAws",
    "LocalAwsError",
    "MarketplaceContact",
    "MarketplaceCustomer",
    "MarketplaceEventType",
    "MarketplaceOffer",
    "MarketplaceStandIn",
    "MovableClock",
    "ResolveCustomerCall",
]

_MODULES = {
    "AgreementCall": "agreement_service",
    "AgreementOperation": "agreement_service",
    "AgreementService": "agreement_service",
    "ClaimCall": "claim_stand_in",
    "ClaimStandIn": "claim_stand_in",
    "EntitlementService": "entitlement_service",
    "GetEntitlementsCall": "entitlement_service",
    "LocalAws": "local_aws",
    "LocalAwsError": "local_aws_error",
    "MarketplaceContact": "marketplace_customer",
    "MarketplaceCustomer": "marketplace_customer",
    "MarketplaceEventType": "marketplace_events",
    "MarketplaceOffer": "marketplace_stand_in",
    "MarketplaceStandIn": "marketplace_stand_in",
    "MovableClock": "movable_clock",
    "ResolveCustomerCall": "marketplace_stand_in",
}


def __getattr__(name: str) -> object:
    # On first use, because pytest loads the plugin in this package at every start.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
