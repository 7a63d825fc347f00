"""Buyers who subscribe, change, renew, resubscribe and cancel: AWS Marketplace's events and entitlements of each."""

import copy
import math
import random
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

from constructs_lib.testing import _ids
from constructs_lib.testing._marketplace_events import NEVER, Agreement, marketplace_event
from constructs_lib.testing.marketplace_customer import MarketplaceContact, MarketplaceCustomer
from constructs_lib.testing.movable_clock import MovableClock

# After the buyer accepts: Created, Ended of the agreement that it continues, License Updated. After Ended: License
# Deprovisioned. As in a real purchase, except for the second, which no source tells.
_CREATED, _CONTINUED, _LICENSED, _DEPROVISIONED = (timedelta(seconds=seconds) for seconds in (11, 42, 72, 31))
_TERM = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class AgreementRecord:
    """An agreement as the Agreement API knows it, also after it has ended.

    Attributes:
        agreement: What events say of it.
        status: Its status.
        updated_at: When a step last changed it.
        licensed_at: When its license has been provisioned: the time of License Updated.
        deprovisioned_at: When its license is deprovisioned: the time of License Deprovisioned.
        contact: The contact that the buyer gave.
    """

    agreement: Agreement
    status: str = "ACTIVE"
    updated_at: datetime
    licensed_at: datetime
    deprovisioned_at: datetime | None = None
    contact: MarketplaceContact | None


@dataclass(kw_only=True)
class _Life:
    customer: MarketplaceCustomer
    agreement: Agreement
    entitlements: Mapping[str, float | str | bool]
    granted: Mapping[int, Mapping[str, Any]]
    active: bool = True
    last: datetime


class MarketplaceLives:
    """The lives of buyers."""

    clock: MovableClock

    def __init__(self, seller_account_id: str) -> None:
        self._seller_account_id = seller_account_id
        self._lives_lock = threading.Lock()
        # A buyer is found by each agreement and license that they have had.
        self._lives: dict[MarketplaceCustomer, _Life] = {}
        # By their ids, in the order in which they were accepted.
        self._records: dict[str, AgreementRecord] = {}
        self._numbers = count()

    def subscribe(
        self,
        customer: MarketplaceCustomer,
        *,
        entitlements: Mapping[str, float | str | bool] | None = None,
        starts: datetime | None = None,
        ends: datetime | None = None,
        reseller_account_id: str | None = None,
        contact: MarketplaceContact | None = None,
    ) -> list[dict[str, Any]]:
        """Let a buyer accept an offer: Created, then License Updated.

        Args:
            customer: The buyer; without license and agreement (a legacy product's) those in the events are generated.
            entitlements: Dimension to value; none, as in a product that is paid by usage, by default.
            starts: When the agreement starts, if it is dated ahead: License Updated and the entitlements come then, and
                the buyer's next step is later than that.
            ends: When the agreement ends, and entitlements expire; by default a year from its start if there are any,
                otherwise never.
            reseller_account_id: The account that extended the offer, if it is a reseller: the seller then gets the
                manufacturer's agreement events.
            contact: The contact that the buyer gives, for this agreement and those that follow it.

        Returns:
            The events in AWS Marketplace's order.

        Raises:
            ValueError: The buyer has subscribed before, a value is not finite, or ``starts`` is in the past.
        """
        entitlements = _checked(entitlements or {})
        with self._lives_lock:
            if customer in self._lives:
                raise ValueError("the customer has subscribed before: use resubscribe, or another customer")
            at = self._now()
            starts_at = starts.replace(microsecond=0) if starts else at
            if starts_at < at:
                raise ValueError(f"starts must not be in the past, got {starts_at.isoformat()}")
            agreement_id = customer.agreement_id or _ids.agreement_id()
            agreement = Agreement(
                agreement_id=agreement_id,
                initial_agreement_id=agreement_id,
                accepted_at=at,
                starts_at=starts_at,
                ends_at=_end(ends, starts_at, entitlements),
                offer_id=_ids.offer_id(),
                product_code=customer.product_code,
                license_arn=customer.license_arn or _ids.license_arn(),
                buyer=customer.customer_aws_account_id,
                seller=self._seller_account_id,
                reseller=reseller_account_id,
                resale_authorization_id=reseller_account_id and f"resaleauthz-{uuid.uuid4().hex[:13]}",
            )
            life = _Life(customer=customer, agreement=agreement, entitlements={}, granted={}, last=at)
            self._lives[customer] = life
            self._grant(life, entitlements)
            licensed_at = max(starts_at, at + _LICENSED)
            self._record(life, at, licensed_at, contact)
            return [self._agreement_event(life, "Created", at + _CREATED), _license_event(life, licensed_at)]

    def change(
        self,
        customer: MarketplaceCustomer,
        *,
        entitlements: Mapping[str, float | str | bool],
        new_agreement: bool = False,
    ) -> list[dict[str, Any]]:
        """Let a buyer change their entitlements: Amended, then License Updated.

        Args:
            customer: The buyer.
            entitlements: Dimension to value, of all dimensions.
            new_agreement: Whether a new agreement replaces the old one: Created (``REPLACE``), Ended (``REPLACED``)
                and License Updated.

        Returns:
            The events in AWS Marketplace's order.

        Raises:
            ValueError: The buyer is not subscribed, or a value is not finite.
        """
        entitlements = _checked(entitlements)
        with self._lives_lock:
            life, at = self._step(customer, active=True)
            if new_agreement:
                return self._continue(life, at, "REPLACE", entitlements, life.agreement.ends_at)
            self._grant(life, entitlements)
            self._update(life.agreement, at)
            return [self._agreement_event(life, "Amended", at + _CREATED), _license_event(life, at + _LICENSED)]

    def renew(
        self,
        customer: MarketplaceCustomer,
        *,
        new_agreement: bool = True,
        new_license: bool = False,
        entitlements: Mapping[str, float | str | bool] | None = None,
        ends: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Renew a buyer's subscription, in any of the ways that AWS's sources describe: test all of them.

        Args:
            customer: The buyer.
            new_agreement: Whether a new agreement continues the old one: Created (``RENEW``), Ended (``RENEWED``) and
                License Updated. Otherwise there is License Updated alone.
            new_license: Whether the new agreement has a new license; the old one is deprovisioned last.
            entitlements: Dimension to value, of all dimensions; the previous ones by default.
            ends: When the agreement ends, and entitlements expire; by default a year later than before.

        Returns:
            The events in AWS Marketplace's order.

        Raises:
            ValueError: The buyer is not subscribed, a value is not finite, or a new license has no new agreement.
        """
        if new_license and not new_agreement:
            raise ValueError("new_license requires new_agreement")
        with self._lives_lock:
            life, at = self._step(customer, active=True)
            entitlements = life.entitlements if entitlements is None else _checked(entitlements)
            before = life.agreement.ends_at
            ends = ends or (before if before == NEVER else before + _TERM)
            if new_agreement:
                return self._continue(life, at, "RENEW", entitlements, ends, new_license=new_license)
            life.agreement = replace(life.agreement, ends_at=ends)
            self._grant(life, entitlements)
            self._update(life.agreement, at)
            return [_license_event(life, at + _LICENSED)]

    def resubscribe(
        self,
        customer: MarketplaceCustomer,
        *,
        new_license: bool = False,
        entitlements: Mapping[str, float | str | bool] | None = None,
        ends: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Let a buyer who canceled accept an offer again, with a new agreement: Created, then License Updated.

        Args:
            customer: The buyer.
            new_license: Whether the new agreement has a new license.
            entitlements: Dimension to value, of all dimensions; the previous ones by default.
            ends: When the agreement ends, and entitlements expire; as in ``subscribe`` by default.

        Returns:
            The events in AWS Marketplace's order.

        Raises:
            ValueError: The buyer is subscribed or has never been, or a value is not finite.
        """
        with self._lives_lock:
            life, at = self._step(customer, active=False)
            entitlements = life.entitlements if entitlements is None else _checked(entitlements)
            life.active = True
            self._accept(life, at, "NEW", _end(ends, at, entitlements), new_license=new_license)
            self._grant(life, entitlements)
            return [self._agreement_event(life, "Created", at + _CREATED), _license_event(life, at + _LICENSED)]

    def cancel(
        self, customer: MarketplaceCustomer, *, status: Literal["CANCELLED", "EXPIRED", "TERMINATED"] = "CANCELLED"
    ) -> list[dict[str, Any]]:
        """End a buyer's subscription, and with it their entitlements: Ended, then License Deprovisioned.

        Args:
            customer: The buyer.
            status: The agreement's status: ``EXPIRED`` at the end of its term, ``TERMINATED`` by AWS or the seller.

        Returns:
            The events in AWS Marketplace's order.

        Raises:
            ValueError: The buyer is not subscribed.
        """
        with self._lives_lock:
            life, at = self._step(customer, active=True)
            life.active, life.granted = False, {}
            self._update(life.agreement, at, status=status)
            self._deprovision(life.agreement.license_arn, at + _DEPROVISIONED)
            return [
                self._agreement_event(life, "Ended", at, status=status),
                _license_event(life, at + _DEPROVISIONED, kind="Deprovisioned"),
            ]

    def current(self, customer: MarketplaceCustomer) -> MarketplaceCustomer:
        """Return a buyer with their current agreement and license, to which registration tokens resolve.

        Args:
            customer: The buyer, with any agreement and license that they have had.

        Returns:
            The buyer; unchanged if they have not subscribed, or if the product has no licenses.
        """
        with self._lives_lock:
            life = self._lives.get(customer)
            return life.customer if life else customer

    def event(
        self, customer: MarketplaceCustomer, detail_type: str, *, detail: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return an event of any kind, which changes nothing: to test that other kinds do no harm.

        Args:
            customer: The buyer, subscribed or not.
            detail_type: One of ``MarketplaceEventType``, or one that is not known yet.
            detail: Merged into the event's ``detail``, such as ``{"agreement": {"status": "RENEWED"}}``.

        Returns:
            The event.
        """
        with self._lives_lock:
            life = self._lives.get(customer)
            if life is not None:
                life.last = at = self._now(life)
                return marketplace_event(detail_type, life.agreement, at, detail)
            at = self._now()
        agreement_id = customer.agreement_id or _ids.agreement_id()
        agreement = Agreement(
            agreement_id=agreement_id,
            initial_agreement_id=agreement_id,
            accepted_at=at,
            starts_at=at,
            ends_at=NEVER,
            offer_id=_ids.offer_id(),
            product_code=customer.product_code,
            license_arn=customer.license_arn or _ids.license_arn(),
            buyer=customer.customer_aws_account_id,
            seller=self._seller_account_id,
        )
        return marketplace_event(detail_type, agreement, at, detail)

    @staticmethod
    def deliver(
        events: Iterable[Mapping[str, Any]],
        to: Callable[[dict[str, Any]], object],
        *,
        seed: int | None = None,
        repeated: float = 0,
        lost: float = 0,
    ) -> list[dict[str, Any]]:
        """Deliver events to the seller's queue or function, in their order or as EventBridge may.

        Args:
            events: The events, of any number of buyers.
            to: Called with each; an error that it raises ends the delivery.
            seed: Shuffles the events, the same way for the same seed; without one they come in the order given.
            repeated: The share of events that come twice; requires ``seed``.
            lost: The share of events that do not come; requires ``seed``.

        Returns:
            The events as they were delivered.

        Raises:
            ValueError: ``repeated`` or ``lost`` are given without ``seed``.
        """
        delivered = [dict(event) for event in events]
        if seed is not None:
            chance = random.Random(seed)  # noqa: S311 - a test's own order is no secret
            delivered = [event for event in delivered if chance.random() >= lost]
            delivered += [event for event in delivered if chance.random() < repeated]
            chance.shuffle(delivered)
        elif repeated or lost:
            raise ValueError("repeated and lost require seed")
        for event in delivered:
            to(copy.deepcopy(event))
        return delivered

    def _is_active(self, customer: MarketplaceCustomer) -> bool | None:
        """Tell whether a buyer is subscribed; None if they have never been."""
        with self._lives_lock:
            life = self._lives.get(customer)
            return life.active if life else None

    def _quantities(self, customer: MarketplaceCustomer) -> Mapping[str, Any] | None:
        """Return a buyer's latest entitlements; None if they have never subscribed."""
        with self._lives_lock:
            life = self._lives.get(customer)
            return life.entitlements if life else None

    def _entitlements(self) -> Mapping[int, Mapping[str, Any]]:
        with self._lives_lock:
            now = self.clock()
            lives = [
                life
                for life in {id(life): life for life in self._lives.values()}.values()
                if not is_scheduled(life.agreement, now)
            ]
            return dict(sorted(item for life in lives for item in life.granted.items()))

    def _agreements(self) -> Mapping[str, AgreementRecord]:
        with self._lives_lock:
            return dict(self._records)

    def _now(self, life: _Life | None = None) -> datetime:
        """Return the clock's time; of a buyer, later than their last event, as events have whole seconds."""
        now = self.clock().replace(microsecond=0)
        return now if life is None else max(now, life.last + timedelta(seconds=1))

    def _step(self, customer: MarketplaceCustomer, *, active: bool) -> tuple[_Life, datetime]:
        life = self._lives.get(customer)
        if life is None or life.active is not active:
            raise ValueError(f"the customer {'is not subscribed' if active else 'has not canceled'}")
        return life, self._now(life)

    def _grant(self, life: _Life, entitlements: Mapping[str, float | str | bool]) -> None:
        members = {
            "ProductCode": life.agreement.product_code,
            "CustomerIdentifier": life.customer.customer_identifier,
            "CustomerAWSAccountId": life.agreement.buyer,
            "LicenseArn": life.agreement.license_arn,
            "ExpirationDate": None if life.agreement.ends_at == NEVER else life.agreement.ends_at.timestamp(),
        }
        members = {name: value for name, value in members.items() if value is not None}
        life.entitlements = dict(entitlements)
        life.granted = {
            next(self._numbers): {**members, "Dimension": dimension, "Value": typed_value(value)}
            for dimension, value in entitlements.items()
        }

    def _accept(self, life: _Life, at: datetime, intent: str, ends: datetime, *, new_license: bool) -> None:
        before = life.agreement
        agreement_id = _ids.agreement_id()
        life.agreement = replace(
            before,
            agreement_id=agreement_id,
            intent=intent,
            previous_agreement_id=None if intent == "NEW" else before.agreement_id,
            initial_agreement_id=agreement_id if intent == "NEW" else before.initial_agreement_id,
            accepted_at=at,
            starts_at=at,
            ends_at=ends,
            offer_id=_ids.offer_id(),
            license_arn=_ids.license_arn() if new_license else before.license_arn,
        )
        # A legacy product's buyer has neither, whatever the events say.
        if life.customer.agreement_id is not None:
            life.customer = replace(life.customer, agreement_id=life.agreement.agreement_id)
        if life.customer.license_arn is not None:
            life.customer = replace(life.customer, license_arn=life.agreement.license_arn)
        self._lives[life.customer] = life
        self._record(life, at, at + _LICENSED, self._records[before.agreement_id].contact)

    def _record(self, life: _Life, at: datetime, licensed_at: datetime, contact: MarketplaceContact | None) -> None:
        self._records[life.agreement.agreement_id] = AgreementRecord(
            agreement=life.agreement, updated_at=at, licensed_at=licensed_at, contact=contact
        )

    def _update(self, agreement: Agreement, at: datetime, *, status: str = "ACTIVE") -> None:
        known = self._records[agreement.agreement_id]
        self._records[agreement.agreement_id] = replace(known, agreement=agreement, updated_at=at, status=status)

    def _deprovision(self, license_arn: str, at: datetime) -> None:
        for agreement_id, known in self._records.items():
            if known.agreement.license_arn == license_arn and known.deprovisioned_at is None:
                self._records[agreement_id] = replace(known, deprovisioned_at=at)

    def _continue(
        self,
        life: _Life,
        at: datetime,
        intent: Literal["RENEW", "REPLACE"],
        entitlements: Mapping[str, float | str | bool],
        ends: datetime,
        *,
        new_license: bool = False,
    ) -> list[dict[str, Any]]:
        old = replace(life)
        self._accept(life, at, intent, ends, new_license=new_license)
        self._grant(life, entitlements)
        status = "RENEWED" if intent == "RENEW" else "REPLACED"
        self._update(old.agreement, at, status=status)
        events = [
            self._agreement_event(life, "Created", at + _CREATED),
            self._agreement_event(old, "Ended", at + _CONTINUED, status=status),
            _license_event(life, at + _LICENSED),
        ]
        if new_license:
            deprovisioned_at = at + _LICENSED + _DEPROVISIONED
            self._deprovision(old.agreement.license_arn, deprovisioned_at)
            events.append(_license_event(old, deprovisioned_at, kind="Deprovisioned"))
            life.last = old.last
        return events

    def _agreement_event(self, life: _Life, kind: str, at: datetime, *, status: str | None = None) -> dict[str, Any]:
        life.last = max(life.last, at)
        side = life.agreement.side
        detail = {"agreement": {"status": status}} if status else None
        return marketplace_event(f"Purchase Agreement {kind} - {side}", life.agreement, at, detail)


def _license_event(life: _Life, at: datetime, *, kind: str = "Updated") -> dict[str, Any]:
    life.last = max(life.last, at)
    return marketplace_event(f"License {kind} - Manufacturer", life.agreement, at)


def is_scheduled(agreement: Agreement, now: datetime) -> bool:
    """Tell whether an agreement is dated ahead and has not started."""
    return agreement.accepted_at < agreement.starts_at and now < agreement.starts_at


def _checked(entitlements: Mapping[str, float | str | bool]) -> Mapping[str, float | str | bool]:
    for dimension, value in entitlements.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the value of {dimension!r} must be finite, got {value!r}")
    return entitlements


def typed_value(value: object) -> dict[str, object]:
    """Return an entitlement's value as GetEntitlements does: one member, named after its type."""
    # A bool is an int too.
    if isinstance(value, bool):
        return {"BooleanValue": value}
    if isinstance(value, int):
        return {"IntegerValue": value}
    return {"DoubleValue" if isinstance(value, float) else "StringValue": value}


def _end(ends: datetime | None, at: datetime, entitlements: Mapping[str, object]) -> datetime:
    return ends or (at + _TERM if entitlements else NEVER)
