"""AWS CDK constructs that give an AWS Marketplace SaaS product its fulfillment URL."""

from constructs_lib.marketplace_registration import MarketplaceRegistration
from constructs_lib.marketplace_seller_role import MarketplaceSellerRole

__all__ = ["MarketplaceRegistration", "MarketplaceSellerRole"]
