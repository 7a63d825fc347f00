"""AWS CDK constructs that give an AWS Marketplace SaaS product its fulfillment URL."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs_lib.marketplace_seller_role import MarketplaceSellerRole
    from constructs_lib.monitoring.alarm_settings import AlarmSettings
    from constructs_lib.registration.alarm_name import AlarmName
    from constructs_lib.registration.lost_buyers_query import LostBuyersQuery
    from constructs_lib.registration.marketplace_registration import MarketplaceRegistration
    from constructs_lib.registration.registration_dashboard import RegistrationDashboard
    from constructs_lib.subscriptions.marketplace_event_forwarding import MarketplaceEventForwarding
    from constructs_lib.subscriptions.marketplace_subscriptions import MarketplaceSubscriptions
    from constructs_lib.subscriptions.subscription_alarm_name import SubscriptionAlarmName

__all__ = [
    "AlarmName",
    "AlarmSettings",
    "LostBuyersQuery",
    "MarketplaceEventForwarding",
    "MarketplaceRegistration",
    "MarketplaceSellerRole",
    "MarketplaceSubscriptions",
    "RegistrationDashboard",
    "SubscriptionAlarmName",
]

_MODULES = {
    "AlarmName": "registration.alarm_name",
    "AlarmSettings": "monitoring.alarm_settings",
    "LostBuyersQuery": "registration.lost_buyers_query",
    "MarketplaceEventForwarding": "subscriptions.marketplace_event_forwarding",
    "MarketplaceRegistration": "registration.marketplace_registration",
    "MarketplaceSellerRole": "marketplace_seller_role",
    "MarketplaceSubscriptions": "subscriptions.marketplace_subscriptions",
    "RegistrationDashboard": "registration.registration_dashboard",
    "SubscriptionAlarmName": "subscriptions.subscription_alarm_name",
}

_CDK = {"aws_cdk", "constructs", "jsii"}


def __getattr__(name: str) -> object:
    # On first use, because importing a construct starts Node: a backend's tests, which want constructs_lib.testing
    # alone, should need neither Node nor the CDK.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _CDK:
            raise
        raise ModuleNotFoundError(
            f"{name} needs the AWS CDK: pip install 'marketplace-registration[cdk]'", name=error.name
        ) from None
