"""A stand-in for AWS Marketplace, to test a registration without it."""

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
