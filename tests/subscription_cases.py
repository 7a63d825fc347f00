"""Cases for every table of subscriptions: for the fake in tests/unit, and for DynamoDB in tests/functional."""

from __future__ import annotations

import random
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol

from publisher.publications import Partitions
from subscriptions.rules import AgreementEvent, LicenseEvent, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Case = Callable[["Table"], None]

CASES: list[Case] = []

ACCOUNT, PRODUCT, LICENSE, AGREEMENT = "111122223333", "product", "arn:aws:license-manager::1:license:l-1", "agmt-1"
KEY = f"{PRODUCT}#{LICENSE}"
REGISTERED = "2026-11-23T12:00:00.000000+00:00"
TERMS = {"AgreementIntent": "NEW", "OfferId": "offer-1", "AgreementEndsAt": "2027-11-23T12:00:00Z"}


class Table(Store, Partitions, Protocol):
    """A registrations table, written by the subscriber and the resolver, and read by the publisher."""

    def register(self, account: str, product_code: str, license_arn: str = "", *, at: str) -> None: ...

    def delete(self, account: str, sort_key: str) -> None: ...


def case(function: Case) -> Case:
    CASES.append(function)
    return function


def second(number: int) -> str:
    return f"2026-11-23T12:00:{number:02}Z"


def license_(status: Any = "ACTIVE", at: int = 1, **changes: Any) -> LicenseEvent:
    members = {"account": ACCOUNT, "product_code": PRODUCT, "license_arn": LICENSE, "agreement_id": AGREEMENT}
    return LicenseEvent(at=second(at), status=status, **{**members, **changes})


def agreement(status: str = "ACTIVE", at: int = 1, agreement_id: str = AGREEMENT) -> AgreementEvent:
    return AgreementEvent(at=second(at), account=ACCOUNT, agreement_id=agreement_id, status=status)


@case
def a_license_begins_its_item(table: Table) -> None:
    assert table.write_license(license_(product_id="prod-1"))

    assert table.read(ACCOUNT) == [
        {
            "CustomerAWSAccountId": ACCOUNT,
            "ProductLicense": KEY,
            "ProductCode": PRODUCT,
            "LicenseArn": LICENSE,
            "ProductId": "prod-1",
            "LicenseStatus": "ACTIVE",
            "LicenseStatusAt": second(1),
            "LicenseAgreementId": AGREEMENT,
        }
    ]


@case
def a_license_and_a_registration_share_one_item_in_either_order(table: Table) -> None:
    table.write_license(license_())
    table.register(ACCOUNT, PRODUCT, LICENSE, at=REGISTERED)
    (first,) = table.read(ACCOUNT)
    table.delete(ACCOUNT, KEY)
    table.register(ACCOUNT, PRODUCT, LICENSE, at=REGISTERED)
    table.write_license(license_())

    assert table.read(ACCOUNT) == [first]
    assert {"RegisteredAt", "LicenseStatus"} <= first.keys()


@case
def registering_again_leaves_what_the_subscriber_wrote(table: Table) -> None:
    table.write_license(license_())
    table.write_entitlements(license_(), [{"Dimension": "Users"}])

    table.register(ACCOUNT, PRODUCT, LICENSE, at=REGISTERED)

    (item,) = table.read(ACCOUNT)
    assert (item["LicenseStatus"], item["Entitlements"]) == ("ACTIVE", [{"Dimension": "Users"}])


@case
def a_later_status_counts_and_an_earlier_one_does_not(table: Table) -> None:
    assert [
        table.write_license(license_(at=2)),
        table.write_license(license_("DEPROVISIONED", at=1)),
        table.write_license(license_("DEPROVISIONED", at=3)),
        table.write_license(license_(at=2)),
        table.write_license(license_(at=4)),
    ] == [True, False, True, False, True]


@case
def at_the_same_second_deprovisioned_wins_and_repeats_count(table: Table) -> None:
    events = license_(), license_(), license_("DEPROVISIONED"), license_("DEPROVISIONED"), license_()

    assert [table.write_license(event) for event in events] == [True, True, True, True, False]


@case
def a_deprovisioned_license_loses_its_entitlements(table: Table) -> None:
    table.write_license(license_())
    table.write_entitlements(license_(), [{"Dimension": "Users"}])

    table.write_license(license_("DEPROVISIONED"))

    (item,) = table.read(ACCOUNT)
    assert not {"Entitlements", "EntitlementsAt"} & item.keys()


@case
def entitlements_count_for_the_event_that_they_were_asked_for(table: Table) -> None:
    assert not table.write_entitlements(license_(), [])
    table.write_license(license_(at=2))
    assert not table.write_entitlements(license_(at=1), [])
    assert table.write_entitlements(license_(at=2), [])
    table.write_license(license_("DEPROVISIONED", at=2))
    assert not table.write_entitlements(license_(at=2), [])


@case
def entitlements_come_back_as_they_were_given(table: Table) -> None:
    given: list[Any] = [
        {"Dimension": "Users", "Value": {"IntegerValue": 2147483647}, "ExpirationDate": "2027-11-23T12:00:00+00:00"},
        {"Dimension": "Share", "Value": {"DoubleValue": 0.1}},
        {"Dimension": "Tiny", "Value": {"DoubleValue": 2.2250738585072014e-108}},
        {"Dimension": "Debt", "Value": {"DoubleValue": -1.7976931348623157}},
        {"Dimension": "Whole", "Value": {"DoubleValue": 5.0}},
        {"Dimension": "Minus", "Value": {"IntegerValue": -5}},
        {"Dimension": "SSO", "Value": {"BooleanValue": True}},
        {"Dimension": "Off", "Value": {"BooleanValue": False}},
        {"Dimension": "Tier", "Value": {"StringValue": "Gold «1» 🚀"}},
        {"Dimension": "Empty", "Value": {"StringValue": ""}},
        {"Dimension": "None"},
    ]
    table.write_license(license_())
    table.write_entitlements(license_(), given)

    (item,) = table.read(ACCOUNT)
    assert item["Entitlements"] == given
    types = [[type(value) for value in each.get("Value", {}).values()] for each in item["Entitlements"]]
    assert types[0] == [int]
    assert types[1] == [float]
    assert types[6] == types[7] == [bool]


@case
def an_event_without_an_agreement_removes_the_one_before(table: Table) -> None:
    table.write_license(license_())
    table.write_license(license_(at=2, agreement_id=None))

    assert "LicenseAgreementId" not in table.read(ACCOUNT)[0]


@case
def an_agreements_status_and_terms_have_times_of_their_own(table: Table) -> None:
    assert table.write_agreement_status(agreement("CANCELLED", at=2))
    assert table.write_agreement_terms(agreement(at=1), TERMS)
    assert not table.write_agreement_status(agreement(at=1))

    assert table.read(ACCOUNT) == [
        {
            "CustomerAWSAccountId": ACCOUNT,
            "ProductLicense": f"#{AGREEMENT}",
            "AgreementStatus": "CANCELLED",
            "AgreementStatusAt": second(2),
            "AgreementTermsAt": second(1),
            **TERMS,
        }
    ]


@case
def an_amendment_replaces_all_terms(table: Table) -> None:
    table.write_agreement_terms(agreement(), TERMS)

    assert table.write_agreement_terms(agreement(), {"AgreementIntent": "AMEND"})
    assert not table.write_agreement_terms(agreement(), TERMS)

    (item,) = table.read(ACCOUNT)
    assert item["AgreementIntent"] == "AMEND"
    assert "OfferId" not in item


@case
def at_the_same_second_an_agreements_end_wins(table: Table) -> None:
    statuses = ["ACTIVE", "EXPIRED", "ACTIVE", "EXPIRED"]

    assert [table.write_agreement_status(agreement(status)) for status in statuses] == [True, True, False, True]


@case
def a_partition_is_read_by_prefix_and_belongs_to_one_buyer(table: Table) -> None:
    table.register(ACCOUNT, PRODUCT, at=REGISTERED)
    table.write_license(license_())
    table.write_license(license_(product_code="product-two"))
    table.write_license(license_(account="444455556666"))
    table.write_agreement_status(agreement())

    assert [item["ProductLicense"] for item in table.read(ACCOUNT, f"{PRODUCT}#")] == [f"{PRODUCT}#", KEY]
    assert len(table.read(ACCOUNT)) == 4
    assert table.read("000000000000") == []


def random_calls(seed: int, count: int) -> Iterator[methodcaller]:
    """Make calls that often meet each other. Not with hypothesis, which is not installed with the oldest SDK."""
    chance = random.Random(seed)
    for _ in range(count):
        at = chance.randrange(4)
        event = license_(chance.choice(["ACTIVE", "DEPROVISIONED"]), at, license_arn=chance.choice([LICENSE, "l-2"]))
        ended = agreement(chance.choice(["ACTIVE", "CANCELLED", "RENEWED"]), at, chance.choice([AGREEMENT, "agmt-2"]))
        yield chance.choice(
            [
                methodcaller("write_license", event),
                methodcaller("write_license", event),
                methodcaller("write_entitlements", event, [{"Dimension": "Users", "Value": {"IntegerValue": at}}]),
                methodcaller("write_agreement_status", ended),
                methodcaller("write_agreement_terms", ended, {"AgreementIntent": chance.choice(["NEW", "AMEND"])}),
                methodcaller("register", ACCOUNT, PRODUCT, chance.choice([LICENSE, ""]), at=REGISTERED),
                methodcaller("delete", ACCOUNT, chance.choice([KEY, f"#{AGREEMENT}", f"{PRODUCT}#"])),
                methodcaller("read", ACCOUNT),
                methodcaller("read", ACCOUNT, chance.choice([f"{PRODUCT}#", "#"])),
            ]
        )
