"""An AWS Marketplace in memory: buyers' lives as agreements, licenses and entitlements, and the events of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reconciler.comparison import Agreement, License
from reconciler.reconciliation import Records
from sdk.items import is_active
from sdk.registrations import PARTITION_KEY, SORT_KEY
from tests.marketplace_events import SELLER, agreement_event, license_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.errors import AgreementMalformedError
    from reconciler.position import Position
    from sdk.registrations import Entitlement, Item
    from subscriptions.errors import SubscriptionError
    from tests.marketplace_events import Event
    from tests.subscription_fakes import FakeTable

START = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
NEVER = "9999-01-01T00:00:00Z"
_CREATED, _ENDED, _UPDATED, _DEPROVISIONED = (timedelta(seconds=seconds) for seconds in (11, 42, 72, 31))


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Life:
    """A buyer's subscription to a product, through all its agreements."""

    account: str
    product: str
    license_arn: str
    agreement: Agreement
    generation: int = 1
    active: bool = True

    @property
    def product_id(self) -> str:
        return f"prod-{self.product}"


@dataclass
class FakeMarketplace:
    """The Agreement API and GetEntitlements, and what a seller may ask of them."""

    events: list[Event] = field(default_factory=list)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    listed: dict[str, dict[str, License]] = field(default_factory=dict)
    entitlements: dict[str, list[Entitlement]] = field(default_factory=dict)
    malformed: list[AgreementMalformedError] = field(default_factory=list)
    errors: dict[str, SubscriptionError] = field(default_factory=dict)
    """Operation, or an agreement or a license, to the failure of every call."""
    continued_lists: bool = True
    """Whether an agreement that another one continues still lists its license."""
    at_call: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)

    def subscribe(
        self,
        account: str,
        product: str,
        license_arn: str,
        at: datetime,
        *,
        starts: datetime | None = None,
        quantity: int = 1,
    ) -> Life:
        agreement = self._accept(account, product, f"agmt-{license_arn}-1", license_arn, at, starts=starts)
        life = Life(account, product, license_arn, agreement)
        self._created(life, "NEW", at)
        self._licensed(life, max(at, starts or at), quantity, scheduled=starts is not None and starts > at)
        return life

    def change(self, life: Life, at: datetime, quantity: int, *, ends: str | None = None) -> None:
        life.agreement = replace(life.agreement, updated_at=text(at), ends_at=ends or life.agreement.ends_at)
        self.agreements[life.agreement.agreement_id] = life.agreement
        self._created(life, "AMEND", at)
        self._licensed(life, at, quantity)

    def renew(self, life: Life, at: datetime, quantity: int, *, new_license: bool, status: str = "RENEWED") -> None:
        old, old_license = life.agreement, life.license_arn
        self._next(life, at, new_license=new_license, initial=old.initial_agreement_id)
        self.agreements[old.agreement_id] = replace(old, status=status, updated_at=text(at))
        if not self.continued_lists:
            self.listed[old.agreement_id] = {}
        self._created(life, {"RENEWED": "RENEW", "REPLACED": "REPLACE"}[status], at, previous=old.agreement_id)
        self.events.append(
            agreement_event("Ended", time=text(at + _ENDED), account=life.account, id=old.agreement_id, status=status)
        )
        self._licensed(life, at, quantity)
        if new_license:
            self._deprovisioned(life, old.agreement_id, old_license, at + _UPDATED + _DEPROVISIONED)

    def resubscribe(self, life: Life, at: datetime, quantity: int, *, new_license: bool) -> None:
        self._next(life, at, new_license=new_license, initial=None)
        life.active = True
        self._created(life, "NEW", at)
        self._licensed(life, at, quantity)

    def cancel(self, life: Life, at: datetime, *, status: str = "CANCELLED") -> None:
        life.active = False
        life.agreement = replace(life.agreement, status=status, updated_at=text(at))
        self.agreements[life.agreement.agreement_id] = life.agreement
        self.events.append(
            agreement_event("Ended", time=text(at), account=life.account, id=life.agreement.agreement_id, status=status)
        )
        self._deprovisioned(life, life.agreement.agreement_id, life.license_arn, at + _DEPROVISIONED)

    def updated(self, after: str) -> Iterator[Agreement | AgreementMalformedError]:
        yield from self.malformed
        yield from self._search("updated", lambda each: each.updated_at, lambda each: each.updated_at > after)

    def started(self, after: str, before: str) -> Iterator[Agreement]:
        return self._search("started", lambda each: each.starts_at, lambda each: after < each.starts_at < before)

    def chain(self, initial_agreement_id: str) -> list[Agreement]:
        return list(
            self._search(
                "chain", lambda each: each.starts_at, lambda each: each.initial_agreement_id == initial_agreement_id
            )
        )

    def with_license(self, license_arn: str) -> list[Agreement]:
        return list(
            self._search("with_license", lambda each: each.starts_at, lambda each: license_arn in each.license_arns)
        )

    def licenses(self, agreement_id: str) -> list[License]:
        self._call("licenses", agreement_id)
        return list(self.listed[agreement_id].values())

    def of_license(self, product_code: str, license_arn: str) -> list[Entitlement]:
        self._call("of_license", license_arn)
        return list(self.entitlements.get(f"{product_code}#{license_arn}", []))

    def _call(self, operation: str, about: str = "") -> None:
        self.calls.append(operation)
        self.at_call()
        for name in (operation, about):
            if name in self.errors:
                raise self.errors[name]

    def _search(
        self, operation: str, order: Callable[[Agreement], str], fits: Callable[[Agreement], bool]
    ) -> Iterator[Agreement]:
        self._call(operation)
        ours = [each for each in self.agreements.values() if each.proposer == SELLER]
        yield from sorted(filter(fits, ours), key=order)

    def _accept(
        self,
        account: str,
        product: str,
        agreement_id: str,
        license_arn: str,
        at: datetime,
        *,
        starts: datetime | None = None,
        initial: str | None = None,
    ) -> Agreement:
        agreement = Agreement(
            agreement_id=agreement_id,
            account=account,
            status="ACTIVE",
            updated_at=text(at),
            accepted_at=text(at),
            starts_at=text(starts or at),
            offer_id="offer-q2w4e6r8t",
            proposer=SELLER,
            initial_agreement_id=initial or agreement_id,
            products={f"prod-{product}": "SaaSProduct"},
            license_arns=(license_arn,),
        )
        self.agreements[agreement_id] = agreement
        self.listed[agreement_id] = {}
        return agreement

    def _next(self, life: Life, at: datetime, *, new_license: bool, initial: str | None) -> None:
        life.generation += 1
        first = life.license_arn.partition("/")[0]
        if new_license:
            life.license_arn = f"{first}/{life.generation}"
        life.agreement = self._accept(
            life.account, life.product, f"agmt-{first}-{life.generation}", life.license_arn, at, initial=initial
        )

    def _created(self, life: Life, intent: str, at: datetime, *, previous: str | None = None) -> None:
        agreement = life.agreement
        members = {
            "id": agreement.agreement_id,
            "intent": intent,
            "status": "ACTIVE",
            "acceptanceTime": agreement.accepted_at,
            "startTime": agreement.starts_at,
            "endTime": agreement.ends_at or NEVER,
            **({"previousAgreementId": previous} if previous else {}),
        }
        kind = "Amended" if intent == "AMEND" else "Created"
        self.events.append(agreement_event(kind, time=text(at + _CREATED), account=life.account, **members))

    def _licensed(self, life: Life, at: datetime, quantity: int, *, scheduled: bool = False) -> None:
        self.entitlements[f"{life.product}#{life.license_arn}"] = [
            {"Dimension": "Users", "Value": {"IntegerValue": quantity}},
            {"Dimension": "Share", "Value": {"DoubleValue": 0.5}},
        ]
        status = "SCHEDULED" if scheduled else "PROVISIONED"
        license_ = License(license_arn=life.license_arn, product_id=life.product_id, status=status)
        self.listed[life.agreement.agreement_id][life.license_arn] = license_
        self.events.append(
            self._license_event("Updated", life, life.agreement.agreement_id, life.license_arn, at + _UPDATED)
        )

    def _deprovisioned(self, life: Life, agreement_id: str, license_arn: str, at: datetime) -> None:
        self.entitlements.pop(f"{life.product}#{license_arn}", None)
        listed = self.listed[agreement_id]
        if license_arn in listed:
            listed[license_arn] = replace(listed[license_arn], status="DEPROVISIONED")
        self.events.append(self._license_event("Deprovisioned", life, agreement_id, license_arn, at))

    def _license_event(self, kind: str, life: Life, agreement_id: str, license_arn: str, at: datetime) -> Event:
        return license_event(
            kind,
            time=text(at),
            account=life.account,
            product_code=life.product,
            product_id=life.product_id,
            license_arn=license_arn,
            agreement=agreement_id,
        )


@dataclass
class ScannedTable:
    """What the reconciler reads of a registrations table."""

    table: FakeTable
    page: int = 2
    error: SubscriptionError | None = None

    def read(self, account: str) -> list[Item]:
        if self.error:
            raise self.error
        return self.table.read(account)

    def scan(self, after: Mapping[str, str]) -> tuple[list[Item], Mapping[str, str]]:
        keys = [key for key in sorted(self.table.items) if not after or key > (after[PARTITION_KEY], after[SORT_KEY])]
        items = [self.table.items[key] for key in keys[: self.page]]
        kept = [dict(item) for item in items if is_active(item) or "AgreementStatus" in item]
        if len(keys) <= self.page:
            return kept, {}
        last = keys[self.page - 1]
        return kept, {PARTITION_KEY: last[0], SORT_KEY: last[1]}


@dataclass
class FakeRecords:
    """The reconciliation's own table."""

    position: Position | None = None
    finished: str | None = None
    product_codes: dict[str, str] = field(default_factory=dict)
    error: SubscriptionError | None = None

    def read(self) -> Records:
        if self.error:
            raise self.error
        return Records(self.position, self.finished, dict(self.product_codes))

    def write(self, position: Position | None, finished: str | None) -> None:
        self.position, self.finished = position, finished

    def record(self, product_id: str, product_code: str) -> None:
        self.product_codes[product_id] = product_code


class Context:
    """What Lambda tells an invocation."""

    invoked_function_arn = f"arn:aws:lambda:us-east-1:{SELLER}:function:reconciler"

    def __init__(self, comparisons: int = 10**9) -> None:
        self.left = comparisons

    def get_remaining_time_in_millis(self) -> int:
        """Let so many comparisons begin."""
        self.left -= 1
        return 900_000 if self.left >= 0 else 1_000


def differences(items: Mapping[tuple[str, str], Item], expected: Mapping[tuple[str, str], Item]) -> dict[Any, Any]:
    """Return which attributes are others than expected, although they must be the same whoever recorded them.

    That is all but the times, and but what no API tells: that an agreement was amended without any change of its terms.
    """
    found = {}
    for key in items.keys() | expected.keys():
        item, other = items.get(key, {}), expected.get(key, {})
        for name in item.keys() | other.keys():
            is_time = name.endswith(("StatusAt", "TermsAt", "EntitlementsAt"))
            is_of_amendment = (
                name in {"AgreementIntent", "PreviousAgreementId"} and other.get("AgreementIntent") == "AMEND"
            )
            if item.get(name) != other.get(name) and not is_time and not is_of_amendment:
                found[*key, name] = item.get(name), other.get(name)
    return found
