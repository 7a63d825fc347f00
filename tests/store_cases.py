"""Cases for every store: they run against the fake in tests/unit and against DynamoDB in tests/functional."""

from __future__ import annotations

import random
from operator import methodcaller
from typing import TYPE_CHECKING, Protocol

from resolver.registration import Customer, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Case = Callable[["DeletableStore"], None]

CASES: list[Case] = []

ACCOUNT = "111122223333"
CUSTOMER: Customer = {
    "CustomerAWSAccountId": ACCOUNT,
    "ProductCode": "product",
    "LicenseArn": "arn:aws:license-manager::444455556666:license:l-1",
    "AgreementId": "agmt-1",
}
LEGACY: Customer = {"CustomerAWSAccountId": ACCOUNT, "ProductCode": "product", "CustomerIdentifier": "ifAPi5AcF3"}
FIRST, SECOND = "2026-11-23T12:00:00.000000+00:00", "2026-11-23T13:00:00.000000+00:00"


class DeletableStore(Store, Protocol):
    """A store, and the deletions that happen behind the resolver's back."""

    def delete_registration(self, customer: Customer) -> None: ...

    def delete_claim(self, code_hash: str) -> None: ...


def case(function: Case) -> Case:
    CASES.append(function)
    return function


def registered(store: DeletableStore, customer: Customer = CUSTOMER, *, code_hash: str = "hash") -> None:
    store.write_claim(code_hash, customer, expires_at=1000)
    store.write_registration(customer, at=FIRST)


@case
def a_registration_is_created_once(store: DeletableStore) -> None:
    assert store.write_registration(CUSTOMER, at=FIRST)
    assert not store.write_registration(CUSTOMER, at=SECOND)


@case
def a_retried_write_of_a_new_registration_created_it(store: DeletableStore) -> None:
    assert [store.write_registration(CUSTOMER, at=FIRST) for _ in range(2)] == [True, True]


@case
def a_claim_record_leads_to_its_registration(store: DeletableStore) -> None:
    registered(store)

    assert store.read_claim("hash", now=999) == {**CUSTOMER, "RegisteredAt": FIRST, "LastRegisteredAt": FIRST}


@case
def registering_again_keeps_the_first_time_and_adds_what_is_new(store: DeletableStore) -> None:
    registered(store)

    store.write_registration({**CUSTOMER, "OfferType": "free-trial"}, at=SECOND)

    assert store.read_claim("hash", now=999) == {
        **CUSTOMER,
        "OfferType": "free-trial",
        "RegisteredAt": FIRST,
        "LastRegisteredAt": SECOND,
    }


@case
def a_purchase_after_a_free_trial_is_no_trial(store: DeletableStore) -> None:
    store.write_registration({**CUSTOMER, "OfferType": "free-trial"}, at=FIRST)

    registered(store)

    assert "OfferType" not in (store.read_claim("hash", now=999) or {"OfferType": "not registered"})


@case
def registering_again_keeps_what_is_no_longer_given(store: DeletableStore) -> None:
    registered(store)

    without_agreement = CUSTOMER.copy()
    del without_agreement["AgreementId"]
    store.write_registration(without_agreement, at=SECOND)

    registration = store.read_claim("hash", now=999)
    assert registration
    assert registration["AgreementId"] == "agmt-1"


@case
def two_licenses_of_one_account_are_two_registrations(store: DeletableStore) -> None:
    registered(store)
    registered(store, LEGACY, code_hash="legacy")

    licensed, legacy = (store.read_claim(code_hash, now=999) for code_hash in ("hash", "legacy"))
    assert licensed
    assert legacy
    assert (licensed["LicenseArn"], legacy.get("LicenseArn")) == (CUSTOMER["LicenseArn"], None)


@case
def an_unknown_code_leads_nowhere(store: DeletableStore) -> None:
    assert store.read_claim("unknown", now=0) is None
    assert not store.take_claim("unknown", claimant="a", now=0)


@case
def a_claim_record_lasts_until_the_second_before_its_expiry(store: DeletableStore) -> None:
    registered(store)

    assert store.read_claim("hash", now=1000) is None
    assert not store.take_claim("hash", claimant="a", now=1000)
    assert store.read_claim("hash", now=999)
    assert store.take_claim("hash", claimant="a", now=999)


@case
def a_deleted_claim_record_leads_nowhere(store: DeletableStore) -> None:
    registered(store)

    store.delete_claim("hash")

    assert store.read_claim("hash", now=999) is None
    assert not store.take_claim("hash", claimant="a", now=999)


@case
def a_claim_record_whose_registration_was_deleted_leads_nowhere(store: DeletableStore) -> None:
    registered(store)

    store.delete_registration(CUSTOMER)

    assert store.read_claim("hash", now=999) is None


@case
def a_claim_record_without_its_registration_leads_nowhere(store: DeletableStore) -> None:
    store.write_claim("hash", CUSTOMER, expires_at=1000)

    assert store.read_claim("hash", now=999) is None


@case
def one_claimant_gets_the_claim_and_may_retry(store: DeletableStore) -> None:
    registered(store)

    assert [store.take_claim("hash", claimant=claimant, now=999) for claimant in "aabba"] == [
        True,
        True,
        False,
        False,
        True,
    ]


@case
def a_claimant_cannot_retry_after_the_expiry(store: DeletableStore) -> None:
    registered(store)
    store.take_claim("hash", claimant="a", now=999)

    assert not store.take_claim("hash", claimant="a", now=1000)


@case
def a_claimed_record_can_still_be_read(store: DeletableStore) -> None:
    registered(store)
    store.take_claim("hash", claimant="a", now=999)

    assert store.read_claim("hash", now=999)


def random_calls(seed: int, count: int) -> Iterator[methodcaller]:
    """Make calls that often meet each other: few codes, customers, claimants and times.

    Not with hypothesis, which is not installed with the oldest SDK.
    """
    chance = random.Random(seed)
    for _ in range(count):
        code_hash, customer, now = (
            chance.choice("xyz"),
            chance.choice([CUSTOMER, {**CUSTOMER, "OfferType": "free-trial"}, LEGACY]),
            chance.randrange(5),
        )
        yield chance.choice(
            [
                methodcaller("write_claim", code_hash, customer, expires_at=now),
                methodcaller("write_registration", customer, at=f"2026-11-23T12:00:0{now}.000000+00:00"),
                methodcaller("read_claim", code_hash, now=now),
                methodcaller("read_claim", code_hash, now=0),
                methodcaller("take_claim", code_hash, claimant=chance.choice("ab"), now=now),
                methodcaller(*chance.choice([("delete_claim", code_hash), ("delete_registration", customer)])),
            ]
        )
