"""The expected failure at an agreement that is none of recording; the next run tries again."""

from __future__ import annotations

from subscriptions.errors import EventMalformedError


class AgreementMalformedError(EventMalformedError):
    """An agreement lacks what it must have: the API has changed."""
