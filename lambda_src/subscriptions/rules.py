"""The rules: which events count, and what they change. Nothing here knows AWS's APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager

    from sdk.registrations import Entitlement


Outcome = Literal[
    "license_updated",
    "license_deprovisioned",
    "agreement_recorded",
    "agreement_ended",
    "advisory_issued",
    "advisory_resolved",
    "event_ignored",
    "event_unknown",
    "event_stale",
    "other_product",
]
"""The result of applying an event."""

Call = Literal["write_status", "write_product", "get_entitlements", "write_entitlements", "write_terms"]
"""A call to AWS, for the log."""


@dataclass(frozen=True, kw_only=True)
class LicenseEvent:
    """A License Updated or License Deprovisioned event.

    Attributes:
        at: the event's time, which sorts as text.
        account: the buyer's.
        product_code: the product.
        license_arn: as it came; it is never built or normalized.
        status: what the event makes the license.
        product_id: the product's ID, or None if the event has none.
        agreement_id: the agreement of the license, or None if the event has none.
    """

    at: str
    account: str
    product_code: str
    license_arn: str
    status: Literal["ACTIVE", "DEPROVISIONED"]
    product_id: str | None = None
    agreement_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgreementEvent:
    """A Purchase Agreement Created, Amended or Ended event.

    Attributes:
        at: the event's time, which sorts as text.
        account: the buyer's.
        agreement_id: the agreement.
        status: what the event makes the agreement.
        terms: attributes of ``AGREEMENT_TERMS``; None if the event does not say them, as Ended does not.
    """

    at: str
    account: str
    agreement_id: str
    status: str
    terms: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event that changes no item.

    Attributes:
        outcome: what to log.
        subject: what the event is about, for the log.
    """

    outcome: Outcome
    subject: Mapping[str, str | None] = field(default_factory=dict)


Event = LicenseEvent | AgreementEvent | Notice


class LogLine(Protocol):
    """The line that reports what became of an event.

    Attributes:
        outcome: the result.
        subject: what the event is about, as far as known.
    """

    outcome: Any
    subject: Mapping[str, str | None]

    def timed(self, call: Call) -> AbstractContextManager[None]:
        """Measure the time of a call, whether it succeeds or fails."""


class Entitlements(Protocol):
    """Where entitlements are asked for."""

    def of_license(self, product_code: str, license_arn: str) -> list[Entitlement]:
        """Return a license's entitlements, or raise one of the Marketplace errors."""


class Store(Protocol):
    """Where licenses and agreements are kept.

    Each write counts only if the item has no later time; at the same time the greater status wins, of which ``ACTIVE``
    is the least, and a repeat writes the same again. A write returns false if it did not count, and may raise
    TableUnavailableError or EventMalformedError.
    """

    def write_license(self, event: LicenseEvent) -> bool:
        """Store a license's status; a license that is not active has no entitlements."""

    def write_entitlements(self, event: LicenseEvent, entitlements: list[Entitlement]) -> bool:
        """Store a license's entitlements, if its status is still this event's."""

    def write_agreement_status(self, event: AgreementEvent) -> bool:
        """Store an agreement's status."""

    def write_agreement_terms(self, event: AgreementEvent, terms: Mapping[str, str]) -> bool:
        """Store an agreement's terms, which have a time of their own; at the same time an amendment wins."""


class ProductCodes(Protocol):
    """Where it is kept which product code belongs to a product ID: agreements name only the latter."""

    def record(self, product_id: str, product_code: str) -> None:
        """Store a product's ID and code, or raise TableUnavailableError."""


class Subscriptions:
    """Applies events to what is stored.

    Args:
        store: keeps licenses and agreements.
        entitlements: asked when a license is updated.
        products: the product codes whose licenses are recorded.
        product_codes: keeps the product code of each product ID, of the seller's other products too; by default it is
            not kept.
    """

    def __init__(
        self,
        *,
        store: Store,
        entitlements: Entitlements,
        products: AbstractSet[str],
        product_codes: ProductCodes | None = None,
    ) -> None:
        self._store = store
        self._entitlements = entitlements
        self._products = products
        self._product_codes = product_codes

    def apply(self, event: Event, line: LogLine) -> None:
        """Apply one event; applying it again, or after a later one, changes nothing.

        Args:
            event: as it was read.
            line: receives the outcome, what the event is about and the time of each call.

        Raises:
            SubscriptionError: the event must be delivered again.
        """
        if isinstance(event, LicenseEvent):
            self._apply_license(event, line)
        elif isinstance(event, AgreementEvent):
            self._apply_agreement(event, line)
        else:
            line.subject = event.subject
            line.outcome = event.outcome

    def _apply_license(self, event: LicenseEvent, line: LogLine) -> None:
        line.subject = {
            "CustomerAWSAccountId": event.account,
            "ProductCode": event.product_code,
            "ProductId": event.product_id,
            "LicenseArn": event.license_arn,
            "AgreementId": event.agreement_id,
        }
        if event.product_code not in self._products:
            line.outcome = "other_product"
            self._record_product(event, line)
            return
        # The status first: access must not wait for the entitlements, whose failure the queue retries.
        with line.timed("write_status"):
            counted = self._store.write_license(event)
        self._record_product(event, line)
        if counted and event.status == "ACTIVE":
            with line.timed("get_entitlements"):
                entitlements = self._entitlements.of_license(event.product_code, event.license_arn)
            with line.timed("write_entitlements"):
                counted = self._store.write_entitlements(event, entitlements)
        if not counted:
            line.outcome = "event_stale"
        else:
            line.outcome = "license_updated" if event.status == "ACTIVE" else "license_deprovisioned"

    def _record_product(self, event: LicenseEvent, line: LogLine) -> None:
        if self._product_codes and event.product_id:
            with line.timed("write_product"):
                self._product_codes.record(event.product_id, event.product_code)

    def _apply_agreement(self, event: AgreementEvent, line: LogLine) -> None:
        line.subject = {"CustomerAWSAccountId": event.account, "AgreementId": event.agreement_id}
        counted = False
        if event.terms is not None:
            with line.timed("write_terms"):
                counted = self._store.write_agreement_terms(event, event.terms)
        with line.timed("write_status"):
            counted = self._store.write_agreement_status(event) or counted
        if not counted:
            line.outcome = "event_stale"
        else:
            line.outcome = "agreement_recorded" if event.terms is not None else "agreement_ended"
