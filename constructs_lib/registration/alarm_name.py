"""The names of the alarms; made from the table of signals by ``make generate``."""

from typing import Literal

AlarmName = Literal[
    "ApiServerErrors",
    "ApiThrottled",
    "ResolverErrors",
    "ResolverThrottles",
    "ResolverSlow",
    "MarketplaceThrottled",
    "MarketplaceUnavailable",
    "MarketplaceRefused",
    "StoreUnavailable",
    "TokensRefused",
    "ProductsRefused",
    "RegistrationsReadThrottled",
    "RegistrationsWriteThrottled",
    "ClaimsReadThrottled",
    "ClaimsWriteThrottled",
    "RegistrationsGetItemFails",
    "RegistrationsUpdateItemFails",
    "ClaimsGetItemFails",
    "ClaimsPutItemFails",
    "ClaimsUpdateItemFails",
]
