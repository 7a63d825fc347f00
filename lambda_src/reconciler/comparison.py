"""What an event missed: an agreement and its licenses as AWS Marketplace has them, held against the buyer's items.

A difference becomes the event that would have made it, for the rules by which events are recorded. Its time is a lower
bound of the lost event's: an agreement's last change, which the event follows. So the event still counts if it is only
late, and so does every event after it. If the item has a later time already and is wrong nevertheless, the time is as
little later as counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from reconciler.times import parse, text
from sdk.items import is_active, product_prefix
from sdk.registrations import ACTIVE, AGREEMENT_TERMS, DEPROVISIONED, SORT_KEY
from subscriptions.rules import AgreementEvent, LicenseEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sdk.registrations import Entitlement, Item

PROVISIONED = "PROVISIONED"
"""The status of a license that is active; after it comes ``DEPROVISIONED``, and others before it."""

IN_FLIGHT = timedelta(minutes=30)
"""How long after a change its event is not called missed: it may be on its way, or in the queue for another attempt."""

# Marketplace may take an hour from the end of an agreement to that of its license.
_ENDED_FOR = timedelta(hours=2)

_CONTINUED = {"RENEWED": "RENEW", "REPLACED": "REPLACE"}
_TEXTS = ("Dimension", "ExpirationDate")
_NEVER = "9999-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """An agreement as SearchAgreements has it; times are as events have them.

    Attributes:
        agreement_id: its ID.
        account: the buyer's.
        status: its status.
        updated_at: when anything of it last changed.
        accepted_at: when the buyer accepted the offer.
        starts_at: when it starts, which may be later.
        ends_at: when it ends, or None.
        offer_id: the offer, if it is known.
        proposer: the account that extended the offer, if it is known.
        initial_agreement_id: the first agreement of those that continue one another, if it is known.
        products: product ID to the product's type.
        license_arns: its licenses, as far as they are known.
    """

    agreement_id: str
    account: str
    status: str
    updated_at: str
    accepted_at: str
    starts_at: str
    ends_at: str | None = None
    offer_id: str | None = None
    proposer: str | None = None
    initial_agreement_id: str | None = None
    products: Mapping[str, str]
    license_arns: Sequence[str] = ()

    @property
    def is_active(self) -> bool:
        """Whether it is in force, or will be."""
        return self.status == ACTIVE

    @property
    def is_continuation(self) -> bool:
        """Whether it continues another agreement."""
        return self.initial_agreement_id not in {None, self.agreement_id}


@dataclass(frozen=True, kw_only=True)
class License:
    """A license of an agreement, as GetAgreementEntitlements has it.

    Attributes:
        license_arn: the license.
        product_id: the product's ID, if it is known.
        status: ``PROVISIONED`` while it is active, ``DEPROVISIONED`` after that.
    """

    license_arn: str
    product_id: str | None
    status: str


def is_in_flight(time: object, now: datetime) -> bool:
    """Tell whether the event of a change at a time may still be on its way; False without a time."""
    return time is not None and parse(str(time)) > now - IN_FLIGHT


def missed_agreement(agreement: Agreement, item: Item, chain: Iterable[Agreement]) -> AgreementEvent | None:
    """Return the event that an agreement's item lacks, or None.

    Args:
        agreement: as Marketplace has it.
        item: the agreement's; empty if there is none.
        chain: the agreements that it may continue; only read if the item's terms are missing.
    """
    terms: dict[str, str] | None
    if "AgreementTermsAt" not in item:
        terms = {**_terms(agreement), **_continued(agreement, chain)}
    elif any(not _same_term(item.get(name), value) for name, value in _terms(agreement).items()):
        known = {name: item[name] for name in AGREEMENT_TERMS if name in item}
        terms = {**known, **_terms(agreement), "AgreementIntent": "AMEND"}
    elif item.get("AgreementStatus") != agreement.status:
        terms = None
    else:
        return None
    return AgreementEvent(
        at=_after(agreement.updated_at, max(recorded_at(item), default=None)),
        account=agreement.account,
        agreement_id=agreement.agreement_id,
        status=agreement.status,
        terms=terms,
    )


def missed_license(agreement: Agreement, license_: License, item: Item, *, product_code: str) -> LicenseEvent | None:
    """Return the event that the item of an active license lacks, of its status or its agreement, or None.

    Args:
        agreement: the license's.
        license_: as Marketplace has it.
        item: the license's; empty if there is none.
        product_code: the product's.
    """
    if is_active(item) and _names(item, agreement):
        return None
    # A license of an agreement that is dated ahead is active from its start.
    at = _after(max(agreement.updated_at, agreement.starts_at), item.get("LicenseStatusAt"))
    return _license_event(agreement, license_, item, product_code=product_code, status=ACTIVE, at=at)


def ended_license(agreement: Agreement, license_: License, item: Item, *, product_code: str) -> LicenseEvent | None:
    """Return the event that the item of an ended license lacks, of its status or its agreement, or None.

    Args:
        agreement: the last one that had the license.
        license_: as Marketplace has it.
        item: the license's; empty if there is none.
        product_code: the product's.
    """
    if item.get("LicenseStatus") == DEPROVISIONED and _names(item, agreement):
        return None
    # At the same second the end counts.
    at = max(agreement.updated_at, item.get("LicenseStatusAt", ""))
    return _license_event(agreement, license_, item, product_code=product_code, status=DEPROVISIONED, at=at)


def missed_entitlements(item: Item, entitlements: Iterable[Entitlement]) -> LicenseEvent | None:
    """Return the event of which a license's item has no entitlements or others, which is to be repeated, or None.

    Args:
        item: of an active license.
        entitlements: as Marketplace has them.
    """
    if "Entitlements" in item and _counted(item["Entitlements"]) == _counted(entitlements):
        return None
    product_code, _, license_arn = str(item[SORT_KEY]).partition("#")
    return LicenseEvent(
        at=item["LicenseStatusAt"],
        account=item["CustomerAWSAccountId"],
        product_code=product_code,
        license_arn=license_arn,
        status=ACTIVE,
        product_id=item.get("ProductId"),
        agreement_id=item.get("LicenseAgreementId"),
    )


def product_of(agreement: Agreement, license_: License) -> str | None:
    """Return a license's product ID; a license that names none is of the agreement's only product."""
    return license_.product_id or (next(iter(agreement.products)) if len(agreement.products) == 1 else None)


def has_long_ended(agreement: Agreement, now: datetime) -> bool:
    """Tell whether an agreement's licenses have ended too, by all that Marketplace documents."""
    return not agreement.is_active and parse(agreement.updated_at) <= now - _ENDED_FOR


def is_registered(sort_key: str, partition: Iterable[Item]) -> bool:
    """Tell whether anybody registered for a license: with it, or for its product without one."""
    keys = {sort_key, product_prefix(sort_key.partition("#")[0])}
    return any("RegisteredAt" in each for each in partition if each[SORT_KEY] in keys)


def item_of(agreement_id: object, partition: Iterable[Item]) -> Item:
    """Return an agreement's item; empty if there is none."""
    return next((each for each in partition if each[SORT_KEY] == f"#{agreement_id}"), {})


def recorded_at(item: Item) -> list[str]:
    """Return the times of an agreement's item."""
    return [item[name] for name in ("AgreementStatusAt", "AgreementTermsAt") if name in item]


def _names(item: Item, agreement: Agreement) -> bool:
    """Tell whether a license's latest event named the agreement, or none."""
    return item.get("LicenseAgreementId") in {None, agreement.agreement_id}


def _license_event(
    agreement: Agreement,
    license_: License,
    item: Item,
    *,
    product_code: str,
    status: Literal["ACTIVE", "DEPROVISIONED"],
    at: str,
) -> LicenseEvent:
    return LicenseEvent(
        at=at,
        account=agreement.account,
        product_code=product_code,
        license_arn=license_.license_arn,
        status=status,
        product_id=product_of(agreement, license_) or item.get("ProductId"),
        agreement_id=agreement.agreement_id,
    )


def _terms(agreement: Agreement) -> dict[str, str]:
    terms = {
        "AgreementAcceptedAt": agreement.accepted_at,
        "AgreementStartsAt": agreement.starts_at,
        "AgreementEndsAt": agreement.ends_at or _NEVER,
        "OfferId": agreement.offer_id,
        "ProposerAccountId": agreement.proposer,
    }
    return {name: value for name, value in terms.items() if value is not None}


def _continued(agreement: Agreement, chain: Iterable[Agreement]) -> dict[str, str]:
    """Return what an agreement's first event says of the one that it continues."""
    before = [each for each in chain if each.accepted_at <= agreement.accepted_at and each.status in _CONTINUED]
    before = [each for each in before if each.agreement_id != agreement.agreement_id]
    if not before:
        return {"AgreementIntent": "NEW"}
    previous = max(before, key=lambda each: each.accepted_at)
    return {"AgreementIntent": _CONTINUED[previous.status], "PreviousAgreementId": previous.agreement_id}


def _same_term(known: str | None, value: str) -> bool:
    if known is None or known == value:
        return known == value
    try:
        return parse(known).replace(microsecond=0) == parse(value)
    except ValueError:
        return False


def _counted(entitlements: Iterable[Entitlement]) -> Counter[object]:
    """Return entitlements without their order, which AWS does not promise; a number is the same in DynamoDB's form."""
    return Counter((tuple(sorted(each.get("Value", {}).items())), *map(each.get, _TEXTS)) for each in entitlements)


def _after(time: str, item_time: str | None) -> str:
    """Return a time, or the second after the item's if that is not earlier."""
    if item_time is None or item_time < time:
        return time
    return text(parse(item_time) + timedelta(seconds=1))
