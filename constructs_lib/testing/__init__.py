"""What a seller needs to test a registration without AWS Marketplace."""

from constructs_lib.testing.marketplace_stand_in import (
    MarketplaceCustomer,
    MarketplaceOffer,
    MarketplaceStandIn,
    MovableClock,
    ResolveCustomerCall,
)

__all__ = [
    "MarketplaceCustomer",
    "MarketplaceOffer",
    "MarketplaceStandIn",
    "MovableClock",
    "ResolveCustomerCall",
]
