"""The expected failures at one agreement or license; each knows its outcome, and the next run tries again."""

from __future__ import annotations

from subscriptions.errors import EventMalformedError, SubscriptionError


class AgreementMalformedError(EventMalformedError):
    """An agreement lacks what it must have: the API has changed."""


class AgreementsThrottledError(SubscriptionError):
    """The Agreement API still throttled after every retry."""

    outcome = "marketplace_throttled"


class AgreementsUnavailableError(SubscriptionError):
    """The Agreement API failed, was too slow or could not be reached, after every retry."""

    outcome = "marketplace_unavailable"


class AgreementsDeniedError(SubscriptionError):
    """The Agreement API denies the seller: wrong account, role or region. Only the operator can fix it."""

    outcome = "marketplace_refused"
