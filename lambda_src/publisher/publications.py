"""The rules: what a change of an item tells the seller. Nothing here knows AWS's APIs.

A *subscription* is a registration with what is known of its licenses: a license item that was also registered, or a
legacy registration with all license items of its product. It is ready while it is registered and a license is active.

- ``Buyer Registered``: the registration is new.
- ``Subscription Ready``: it became ready, whichever of the two came last.
- ``Subscription Changed``: its entitlements, its agreement or the agreement's own item changed while it is ready.
- ``Subscription Ended``: it is ready no more. A deleted registration ends too.

The detail of each has

- ``id``: the same for a repeat;
- ``revision``: see below;
- ``registration``: the public attributes now, named as in the claim; only its key if the registration was deleted;
- ``previous``: the ones before, or null if there were none or they made the event too large.

An item's own changes come from the stream in order, so a subscription with a license of its own is told exactly: Ready,
perhaps Changed, Ended. A legacy subscription's items are in no common order. It is told what the partition says *now*,
after any change of its items; so the last change of all sees everything, whatever was told before. That may tell
a Ready more than once, one for each license that became active, and an Ended without a Ready.

EventBridge keeps no order. So each event has a ``revision``, made of the times when the buyer registered and when each
license got its status. It grows with each of them, and a receiver ignores an event with a lower revision than the
highest that it has seen for the registration. Events with the same revision do not contradict each other about access.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from sdk.items import combine, is_active, product_prefix
from sdk.registrations import AGREEMENT_TERMS, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sdk.registrations import Item

Kind = Literal["Buyer Registered", "Subscription Ready", "Subscription Changed", "Subscription Ended"]

_KEY_ATTRIBUTES = (PARTITION_KEY, "ProductCode", "LicenseArn")
_AGREEMENT_ATTRIBUTES = (*AGREEMENT_TERMS, "AgreementStatus")
_AGREEMENT_TIMES = ("AgreementStatusAt", "AgreementTermsAt")

# What a component of a revision has besides its time, so that it grows with every change at one second too.
_STEPS = 4
_ENTITLED, _DEPROVISIONED, _DELETED = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of one item of the registrations table.

    Attributes:
        record_id: the stream's ID of it, the same for a repeat.
        account: the item's partition.
        sort_key: the item's key in it.
        old: the item before, or None if there was none.
        new: the item after, or None if it was deleted.
    """

    record_id: str
    account: str
    sort_key: str
    old: Item | None
    new: Item | None


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One event for the seller.

    Attributes:
        kind: its detail type.
        id: the same for a repeat.
        subscription: the registration's key; the publications of one are put in order.
        revision: grows with every change of access.
        registration: the public attributes now.
        previous: the ones before.
    """

    kind: Kind
    id: str
    subscription: tuple[str, str]
    revision: int
    registration: Item
    previous: Item | None


class Partitions(Protocol):
    """Where a buyer's items are read; may raise TableUnavailableError."""

    def read(self, account: str, prefix: str = "") -> Sequence[Item]:
        """Return the items of a buyer's partition whose keys begin with ``prefix``, as they are now."""


class Publications:
    """Tells what a change means.

    Args:
        partitions: read when a license or an agreement changed, not when a buyer registered with a license.
    """

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    def of(self, change: Change) -> list[Publication]:
        """Return the publications of a change, in their order."""
        product_code, separator, license_arn = change.sort_key.partition("#")
        if not separator:
            return []
        if not product_code:
            return list(self._of_agreement(change))
        if license_arn:
            return [*_of_item(change), *self._of_license(change, product_code)]
        return list(self._of_legacy_registration(change))

    def _of_license(self, change: Change, product_code: str) -> Iterator[Publication]:
        """Yield what a license means for a legacy registration, if there is one."""
        was, is_now = is_active(change.old), is_active(change.new)
        if not (was or is_now) or (was and is_now and _same(change.old, change.new)):
            return
        legacy = _legacy(self._partitions.read(change.account, product_prefix(product_code)), product_code)
        if legacy is None:
            return
        before = legacy.before(change).attributes
        if legacy.is_ready:
            yield legacy.publication("Subscription Changed" if was else "Subscription Ready", change, before)
        elif was:
            yield legacy.publication("Subscription Ended", change, before)

    def _of_legacy_registration(self, change: Change) -> Iterator[Publication]:
        new = change.new
        if _is_registered(change.old) == _is_registered(new):
            return
        items = self._partitions.read(change.account, change.sort_key)
        if new is None or not _is_registered(new):
            # Even if no license is active: one may have been until it was deleted too.
            old = _Subscription(change.old or {}, _licenses(items))
            yield old.deleted().publication("Subscription Ended", change, old.attributes)
            return
        yield _Subscription(new, _licenses(items)).publication("Buyer Registered", change, None)
        legacy = _legacy(items, change.sort_key.removesuffix("#"))
        if legacy is not None and legacy.is_ready:
            yield legacy.publication("Subscription Ready", change, None)

    def _of_agreement(self, change: Change) -> Iterator[Publication]:
        now, before = _agreement(change.new), _agreement(change.old)
        if all(now.get(name) == before.get(name) for name in _AGREEMENT_ATTRIBUTES):
            return
        partition = self._partitions.read(change.account)
        licenses = [
            item
            for item in _licenses(partition)
            if is_active(item) and _agreement_id(item) == change.sort_key.removeprefix("#")
        ]
        subscriptions = [_Subscription(item, [item]) for item in licenses]
        for product_code in sorted({str(item[SORT_KEY]).partition("#")[0] for item in licenses}):
            subscriptions += filter(None, [_legacy(partition, product_code)])
        for subscription in subscriptions:
            if subscription.is_ready:
                previous = {**subscription.attributes, **before}
                yield subscription.publication("Subscription Changed", change, previous, agreement=now)


@dataclass(frozen=True)
class _Subscription:
    """A registration and its licenses; the item itself is the only one if it is a license."""

    item: Item
    licenses: Sequence[Item]
    is_deleted: bool = False

    @property
    def is_ready(self) -> bool:
        return not self.is_deleted and _is_registered(self.item) and any(map(is_active, self.licenses))

    @property
    def attributes(self) -> Item:
        if self.is_deleted:
            return {name: self.item[name] for name in _KEY_ATTRIBUTES if name in self.item}
        own = {name: value for name, value in self.item.items() if name != SORT_KEY}
        return own if self.item in self.licenses else {**own, **combine(self.licenses)}

    @property
    def revision(self) -> int:
        registered = _seconds(self.item.get("RegisteredAt")) * _STEPS + (_DELETED if self.is_deleted else 0)
        return registered + sum(map(_license_revision, self.licenses))

    def deleted(self) -> _Subscription:
        return replace(self, is_deleted=True)

    def before(self, change: Change) -> _Subscription:
        others = [item for item in self.licenses if item[SORT_KEY] != change.sort_key]
        return replace(self, licenses=[*others, change.old] if change.old else others)

    def publication(
        self, kind: Kind, change: Change, previous: Item | None, *, agreement: Item | None = None
    ) -> Publication:
        key = str(self.item[PARTITION_KEY]), str(self.item[SORT_KEY])
        return Publication(
            kind=kind,
            id=hashlib.sha256("\n".join((change.record_id, kind, *key)).encode()).hexdigest()[:32],
            subscription=key,
            revision=self.revision,
            registration={**self.attributes, **(agreement or {})},
            previous=previous,
        )


def _of_item(change: Change) -> Iterator[Publication]:
    """Yield what a change of a license item means for the subscription that is the item itself."""
    old = change.old and _Subscription(change.old, [change.old])
    new = change.new and _Subscription(change.new, [change.new])
    was_ready, is_ready = bool(old and old.is_ready), bool(new and new.is_ready)
    previous = old.attributes if old else None
    if new and _is_registered(change.new) and not _is_registered(change.old):
        yield new.publication("Buyer Registered", change, previous)
    if new and is_ready:
        if not was_ready:
            yield new.publication("Subscription Ready", change, previous)
        elif not _same(change.old, change.new):
            yield new.publication("Subscription Changed", change, previous)
    elif old and was_ready:
        ended = new if new and _is_registered(change.new) else old.deleted()
        yield ended.publication("Subscription Ended", change, previous)


def _legacy(items: Iterable[Item], product_code: str) -> _Subscription | None:
    """Return a product's legacy subscription of a partition, or None if there is no such registration."""
    prefix = product_prefix(product_code)
    of_product = [item for item in items if str(item[SORT_KEY]).startswith(prefix)]
    registration = next((item for item in of_product if item[SORT_KEY] == prefix and _is_registered(item)), None)
    return _Subscription(registration, _licenses(of_product)) if registration else None


def _licenses(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if "LicenseArn" in item and not str(item[SORT_KEY]).endswith("#")]


def _is_registered(item: Item | None) -> bool:
    return item is not None and "RegisteredAt" in item


def _agreement_id(item: Item | None) -> object:
    """Return a license's agreement: the one that its latest event named, otherwise the one that the buyer came with."""
    return item and item.get("LicenseAgreementId", item.get("AgreementId"))


def _agreement(item: Item | None) -> Item:
    names = (*_AGREEMENT_ATTRIBUTES, *_AGREEMENT_TIMES)
    return {name: item[name] for name in names if name in item} if item else {}


def _same(old: Item | None, new: Item | None) -> bool:
    """Tell whether a license entitles to the same; none known is the same as none."""
    return _agreement_id(old) == _agreement_id(new) and _entitlements(old) == _entitlements(new)


def _entitlements(item: Item | None) -> object:
    return (item or {}).get("Entitlements") or []


def _license_revision(item: Item) -> int:
    step = 0
    if not is_active(item):
        step = _DEPROVISIONED
    elif item.get("EntitlementsAt") == item.get("LicenseStatusAt"):
        step = _ENTITLED
    at = _seconds(item.get("LicenseStatusAt"))
    return at * _STEPS + step if at else 0


def _seconds(time: object) -> int:
    """Return a time's seconds since the epoch; 0 if it has none, or is not as this library writes it."""
    try:
        return int(datetime.fromisoformat(str(time)).timestamp())
    except ValueError:
        return 0
