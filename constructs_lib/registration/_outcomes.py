"""What the metrics take from the resolver's log line."""

from collections.abc import Mapping

COUNTS: Mapping[str, tuple[str, ...]] = {
    "Registrations": ("registered", "registered_again"),
    "Claims": ("claimed",),
    "BadRequests": ("bad_request",),
    "TokensRefused": ("token_invalid", "token_expired"),
    "ProductsRefused": ("product_refused",),
    "ClaimsRefused": ("claim_refused",),
    "MarketplaceThrottled": ("marketplace_throttled",),
    "MarketplaceUnavailable": ("marketplace_unavailable",),
    "MarketplaceRefused": ("marketplace_refused",),
    "StoreUnavailable": ("store_unavailable",),
}
"""Metric name to the outcomes that it counts."""

CODES_UNCLAIMED = "CodesUnclaimed"
"""The metric that adds one for each registration code that was issued, and takes one off for each that was claimed."""

TIMES: Mapping[str, str] = {"MarketplaceTime": "resolve_customer_ms", "StoreTime": "write_registration_ms"}
"""Metric name to the field that it takes, in milliseconds."""
