"""The names of the alarms; made from the table of signals by ``make generate``."""

from typing import Literal

SubscriptionAlarmName = Literal[
    "EventsDelayed",
    "EventsDead",
    "EventsUndelivered",
    "EventsMalformed",
    "EventsFailed",
    "AdvisoriesReceived",
    "EntitlementsRefused",
    "EntitlementsThrottled",
    "SubscriberErrors",
    "SubscriberThrottles",
    "PublicationsDelayed",
    "PublicationsFailed",
    "PublicationsDead",
    "PublisherErrors",
    "PublisherThrottles",
    "EventsMissed",
    "BuyersLost",
    "ProductsUnknown",
    "AgreementsRefused",
    "ReconcilerErrors",
    "ReconciliationsLate",
]
