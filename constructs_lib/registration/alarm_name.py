"""The names of the alarms; made from the table of signals by ``make generate``."""

from typing import Literal

AlarmName = Literal[
    "ApiServerErrors",
    "RecurringServerErrors",
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
    "ClaimsDenied",
    "ClaimsRefused",
    "CodesUnclaimed",
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
