"""What the metrics take from the log lines of the subscriber, the publisher and the reconciler."""

from collections.abc import Mapping

EVENTS: Mapping[str, tuple[str, ...]] = {
    "LicensesUpdated": ("license_updated",),
    "LicensesDeprovisioned": ("license_deprovisioned",),
    "AgreementsRecorded": ("agreement_recorded", "agreement_ended"),
    "EventsWithoutEffect": ("event_ignored", "event_stale", "other_product"),
    "EventsUnknown": ("event_unknown",),
    "EventsMalformed": ("event_malformed",),
    "EventsFailed": ("unexpected_error",),
    "EventsNotStored": ("store_unavailable",),
    "AdvisoriesReceived": ("advisory_issued", "advisory_resolved"),
    "EntitlementsThrottled": ("marketplace_throttled",),
    "EntitlementsUnavailable": ("marketplace_unavailable",),
    "EntitlementsRefused": ("marketplace_refused",),
}
"""Metric name to the subscriber's outcomes that it counts."""

UNPUBLISHED: Mapping[str, tuple[str, ...]] = {
    "PublicationsRetried": ("event_bus_throttled", "event_bus_unavailable", "store_unavailable"),
    "PublicationsFailed": ("event_bus_refused", "publication_too_large", "unexpected_error"),
}
"""Metric name to the publisher's outcomes that it counts."""

PUBLISHED: Mapping[str, str] = {
    "SubscriptionsReady": "Subscription Ready",
    "SubscriptionsChanged": "Subscription Changed",
    "SubscriptionsEnded": "Subscription Ended",
}
"""Metric name to the kind of publication that it counts; registrations have a metric of their own."""

RECONCILED: Mapping[str, tuple[str, ...]] = {
    "EventsMissed": ("license_missed", "agreement_missed"),
    "AgreementsRefused": ("marketplace_refused",),
    "ReconciliationsFinished": ("finished",),
}
"""Metric name to the outcomes of the reconciler's hourly runs that it counts; a backfill is no fault."""

NOT_OF_THE_FIRST_RUN = frozenset({"EventsMissed"})
"""Those of them that do not count the first run: it looks back to a time without a rule."""

RECONCILIATION_COUNTS: Mapping[str, str] = {"BuyersLost": "buyers_lost", "ProductsUnknown": "products_unknown"}
"""Metric name to the count in the line of an hourly run that it takes."""
