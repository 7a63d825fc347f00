"""Whatever events are lost, a run leaves the table and what is published as if none had been."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.delivery import Delivery
from publisher.handler import Handler as Publisher
from publisher.publications import Publications
from reconciler.comparison import License
from reconciler.errors import AgreementMalformedError
from reconciler.handler import Handler
from reconciler.log_line import FINDING_FIELDS, FINDINGS, OUTCOMES, RUN_FIELDS, SUBJECT_FIELDS
from reconciler.pace import Pace
from reconciler.position import Position
from reconciler.reconciliation import Reconciliation
from reconciler.settings import Settings
from subscriber.handler import Handler as Subscriber
from subscriptions.errors import MarketplaceDeniedError, MarketplaceThrottledError, TableUnavailableError
from subscriptions.rules import Subscriptions
from tests.marketplace_events import BUYER, agreement_event, license_event
from tests.reconciliation_fakes import (
    START,
    Context,
    FakeMarketplace,
    FakeRecords,
    ScannedTable,
    differences,
    text,
)
from tests.subscription_fakes import FakeEventBus, FakeTable, batch_of, stream_batch_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.marketplace_events import Event
    from tests.reconciliation_fakes import Life

Lines = Callable[[], list[dict[str, Any]]]

PRODUCTS = frozenset({"product1", "product2"})
STEPS = (
    "change",
    "change the end",
    "renew",
    "renew with a new license",
    "replace",
    "cancel",
    "resubscribe",
    "resubscribe with a new license",
)


@dataclass
class Seller:
    """A seller's table with its functions, against a Marketplace in memory."""

    marketplace: FakeMarketplace = field(default_factory=FakeMarketplace)
    table: FakeTable = field(default_factory=FakeTable)
    records: FakeRecords = field(default_factory=FakeRecords)
    bus: FakeEventBus = field(default_factory=FakeEventBus)
    now: datetime = START
    delay: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        self.subscriptions = Subscriptions(
            store=self.table, entitlements=self.marketplace, products=PRODUCTS, product_codes=self.records
        )
        self.subscriber = Subscriber(subscriptions=self.subscriptions)
        self.publisher = Publisher(
            publications=Publications(self.table), delivery=lambda: Delivery(self.bus, sleep=lambda _: None)
        )
        self.scanned = ScannedTable(self.table)
        self.reconciler = Handler(
            reconciliation=Reconciliation(
                agreements=self.marketplace,
                entitlements=self.marketplace,
                table=self.scanned,
                records=self.records,
                subscriptions=self.subscriptions,
                product_codes=self.records,
                products=PRODUCTS,
                lost_buyer_delay=self.delay,
                pace=Pace(sleep=lambda _: None),
                now=lambda: self.now,
            ),
            seller=None,
            now=lambda: self.now,
        )

    def deliver(self, events: Iterable[Event]) -> None:
        assert self.subscriber(batch_of(events), None) == {"batchItemFailures": []}

    def reconcile(self, request: dict[str, Any] | None = None, *, comparisons: int = 10**9) -> dict[str, Any]:
        return self.reconciler(request or {}, Context(comparisons))

    def publish(self) -> None:
        for records in self.table.stream.values():
            assert self.publisher(stream_batch_of(records), None) == {"batchItemFailures": []}
            records.clear()

    def access(self) -> dict[tuple[str, ...], Any]:
        """Return what a receiver of the publications gives each registration."""
        seen: dict[tuple[str, ...], tuple[int, Any]] = {}
        for entry in self.bus.accepted:
            detail = json.loads(entry.detail)
            given = detail["registration"] if entry.kind in {"Subscription Ready", "Subscription Changed"} else None
            names = ("CustomerAWSAccountId", "ProductCode", "LicenseArn")
            key = tuple(detail["registration"].get(name, "") for name in names)
            if entry.kind != "Buyer Registered" and detail["revision"] >= seen.get(key, (-1, None))[0]:
                seen[key] = detail["revision"], given and given.get("Entitlements")
        return {key: given for key, (_, given) in seen.items() if given is not None}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Seller, list[tuple[str, str, str]]]:
    """Draw a seller whose buyers have lived, with all their events, none of them delivered; and who registers."""
    seller = Seller()
    seller.marketplace.continued_lists = draw(st.booleans())
    registrations = []
    clock = START
    for number in range(draw(st.integers(1, 3))):
        account, product = (
            draw(st.sampled_from(["111111111111", "222222222222"])),
            draw(st.sampled_from(sorted(PRODUCTS))),
        )
        clock += timedelta(minutes=draw(st.integers(0, 5)))
        life = seller.marketplace.subscribe(account, product, f"l-{number}", clock)
        for quantity, step in enumerate(draw(st.lists(st.sampled_from(STEPS), max_size=4)), 2):
            clock += timedelta(minutes=draw(st.integers(2, 30)))
            take(seller.marketplace, life, step, clock, quantity)
        if draw(st.booleans()):
            # A legacy product's buyer registers without a license.
            registrations.append((account, product, draw(st.sampled_from([life.license_arn, f"l-{number}", ""]))))
    seller.now = clock + timedelta(hours=3)
    return seller, registrations


def take(marketplace: FakeMarketplace, life: Life, step: str, at: datetime, quantity: int) -> None:
    match step:
        case "change" if life.active:
            marketplace.change(life, at, quantity)
        case "change the end" if life.active:
            marketplace.change(life, at, quantity, ends="2027-08-20T00:00:00Z")
        case "renew" | "renew with a new license" if life.active:
            marketplace.renew(life, at, quantity, new_license=step != "renew")
        case "replace" if life.active:
            marketplace.renew(life, at, quantity, new_license=False, status="REPLACED")
        case "cancel" if life.active:
            marketplace.cancel(life, at)
        case "resubscribe" | "resubscribe with a new license" if not life.active:
            marketplace.resubscribe(life, at, quantity, new_license=step != "resubscribe")


def expected(seller: Seller, registrations: Iterable[tuple[str, str, str]]) -> Seller:
    """Return the same seller after every event, in order."""
    other = Seller(marketplace=FakeMarketplace(entitlements=seller.marketplace.entitlements))
    for registration in registrations:
        other.table.register(*registration, at="2026-08-20T14:00:00.000000+00:00")
    other.deliver(sorted(seller.marketplace.events, key=lambda event: str(event["time"])))
    other.publish()
    return other


def compare(seller: Seller, other: Seller) -> None:
    seller.publish()
    assert differences(seller.table.items, other.table.items) == {}
    assert seller.access() == other.access()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(), st.data())
def test_whatever_is_lost_one_run_repairs_it(
    world: tuple[Seller, list[tuple[str, str, str]]], data: st.DataObject
) -> None:
    seller, registrations = world
    seller.records.finished = "2026-08-20T13:00:00Z"
    # Which product it is has been heard before.
    seller.records.product_codes = {f"prod-{product}": product for product in PRODUCTS}
    events: list[Event] = data.draw(st.permutations(seller.marketplace.events))
    lost = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    came = [event for event, is_lost in zip(events, lost, strict=True) if not is_lost]
    number = data.draw(st.integers(0, len(came)))
    during, before = came[:number], came[number:]
    posts = registrations[:1]

    def post() -> None:
        seller.table.register(*posts.pop(), at="2026-08-20T14:00:00.000000+00:00")

    for registration in registrations[1:]:
        seller.table.register(*registration, at="2026-08-20T14:00:00.000000+00:00")
    seller.deliver(before)

    def meanwhile() -> None:
        if data.draw(st.booleans()) and during:
            seller.deliver([during.pop()])
        elif posts:
            post()

    seller.marketplace.at_call = meanwhile
    response = seller.reconcile()
    seller.marketplace.at_call = lambda: None
    if posts:
        post()
    seller.deliver(during)

    assert response["outcome"] == "finished"
    compare(seller, expected(seller, registrations))
    # What was lost may come later, and a second run finds nothing.
    seller.deliver(event for event, is_lost in zip(events, lost, strict=True) if is_lost)
    compare(seller, expected(seller, registrations))
    assert (response := seller.reconcile())["missed"] == 0
    assert response["failed"] == 0


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(), st.data())
def test_a_run_that_time_interrupts_goes_on_where_it_was(
    world: tuple[Seller, list[tuple[str, str, str]]], data: st.DataObject
) -> None:
    seller, registrations = world
    seller.records.finished = "2026-08-20T13:00:00Z"
    seller.records.product_codes = {f"prod-{product}": product for product in PRODUCTS}
    for post in registrations:
        seller.table.register(*post, at="2026-08-20T14:00:00.000000+00:00")

    for _ in range(100):
        # More than there are agreements of one second.
        response = seller.reconcile(comparisons=data.draw(st.integers(6, 8)))
        if response["outcome"] == "finished":
            break
        assert response["outcome"] == "unfinished"
        assert seller.records.finished == "2026-08-20T13:00:00Z"

    assert seller.records.position is None
    assert seller.records.finished != "2026-08-20T13:00:00Z"
    compare(seller, expected(seller, registrations))


@pytest.fixture
def seller(caplog: pytest.LogCaptureFixture) -> Seller:
    caplog.set_level(logging.INFO, "reconciler")
    seller = Seller(now=START + timedelta(hours=5))
    seller.records.finished = text(START + timedelta(hours=4))
    seller.records.product_codes = {f"prod-{product}": product for product in PRODUCTS}
    return seller


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the log's lines since the last time."""
    seen = 0

    def new() -> list[dict[str, Any]]:
        nonlocal seen
        found = [vars(record) for record in caplog.records if record.name == "reconciler"]
        seen, before = len(found), seen
        return found[before:]

    return new


def registered(seller: Seller, life: Life) -> None:
    seller.table.register(life.account, life.product, life.license_arn, at="2026-08-20T14:00:00.000000+00:00")


def subscribed(seller: Seller, at: datetime = START, *, delivered: bool = True, is_registered: bool = True) -> Life:
    life = seller.marketplace.subscribe(BUYER, "product1", "l-1", at)
    if delivered:
        seller.deliver(seller.marketplace.events)
    if is_registered:
        registered(seller, life)
    return life


def test_what_an_event_missed_is_reported_with_its_subject(seller: Seller, lines: Lines) -> None:
    subscribed(seller, delivered=False)

    response = seller.reconcile()

    *findings, run = lines()
    assert [(line["message"], line["outcome"], line["run"]) for line in findings] == [
        ("finding", "agreement_missed", "hourly"),
        ("finding", "license_missed", "hourly"),
    ]
    assert {name: findings[1][name] for name in SUBJECT_FIELDS} == {
        "CustomerAWSAccountId": BUYER,
        "ProductCode": "product1",
        "ProductId": "prod-product1",
        "LicenseArn": "l-1",
        "AgreementId": "agmt-l-1-1",
    }
    assert (run["message"], run["outcome"], run["run"], run["since"]) == (
        "run",
        "finished",
        "hourly",
        text(START - timedelta(hours=21)),
    )
    counts = {"agreements": 1, "licenses": 1, "missed": 2, "buyers_lost": 0, "products_unknown": 0, "failed": 0}
    assert {name: run[name] for name in counts} == counts
    assert response == {"outcome": "finished", **counts}


def test_what_may_still_be_on_its_way_is_left_alone(seller: Seller) -> None:
    subscribed(seller, seller.now - timedelta(minutes=29), delivered=False)

    assert seller.reconcile()["agreements"] == 0
    seller.now += timedelta(minutes=1)
    assert seller.reconcile()["missed"] == 2


def test_what_has_just_been_recorded_is_left_alone(seller: Seller) -> None:
    life = subscribed(seller, delivered=False)
    at = text(seller.now - timedelta(minutes=29))
    late = {"account": BUYER, "agreement": "agmt-l-1-1", "product_code": "product1", "license_arn": "l-1"}
    seller.deliver([license_event("Deprovisioned", time=at, **late)])
    seller.deliver([agreement_event("Ended", time=at, account=BUYER, id="agmt-l-1-1", status="CANCELLED")])

    assert (seller.reconcile()["missed"], life.active) == (0, True)
    seller.now += timedelta(minutes=1)
    assert seller.reconcile()["missed"] == 2
    assert seller.table.items[BUYER, "product1#l-1"]["LicenseStatus"] == "ACTIVE"


@pytest.mark.parametrize("status", ["SCHEDULED", "PENDING", "FAILED"])
def test_a_license_that_is_not_provisioned_gives_no_access(seller: Seller, status: str) -> None:
    life = subscribed(seller, delivered=False)
    listed = seller.marketplace.listed[life.agreement.agreement_id]
    listed["l-1"] = replace(listed["l-1"], status=status)

    seller.reconcile()

    assert "LicenseStatus" not in seller.table.items[BUYER, "product1#l-1"]
    assert seller.table.items[BUYER, "#agmt-l-1-1"]["AgreementStatus"] == "ACTIVE"


def test_an_agreement_dated_ahead_is_found_when_it_starts(seller: Seller) -> None:
    starts = START + timedelta(days=30)
    life = seller.marketplace.subscribe(BUYER, "product1", "l-1", START, starts=starts)
    registered(seller, life)
    seller.reconcile()
    assert "LicenseStatus" not in seller.table.items[BUYER, "product1#l-1"]
    seller.now = starts + timedelta(hours=2)
    seller.records.finished = text(starts)
    listed = seller.marketplace.listed[life.agreement.agreement_id]
    listed["l-1"] = replace(listed["l-1"], status="PROVISIONED")

    assert seller.reconcile()["missed"] == 1

    item = seller.table.items[BUYER, "product1#l-1"]
    assert (item["LicenseStatus"], item["LicenseStatusAt"]) == ("ACTIVE", text(starts))


@pytest.mark.parametrize("listed", [True, False])
def test_a_missed_end_is_recorded(seller: Seller, *, listed: bool) -> None:
    life = subscribed(seller)
    seller.marketplace.cancel(life, START + timedelta(hours=1))
    if not listed:
        seller.marketplace.listed[life.agreement.agreement_id].clear()

    seller.reconcile()

    item = seller.table.items[BUYER, "product1#l-1"]
    assert (item["LicenseStatus"], "Entitlements" in item) == ("DEPROVISIONED", False)
    assert seller.table.items[BUYER, "#agmt-l-1-1"]["AgreementStatus"] == "CANCELLED"


def test_a_license_that_is_not_listed_any_more_may_still_be_metered_for_an_hour(seller: Seller) -> None:
    life = subscribed(seller)
    seller.marketplace.cancel(life, seller.now - timedelta(minutes=119))
    seller.marketplace.listed[life.agreement.agreement_id].clear()

    seller.reconcile()
    assert seller.table.items[BUYER, "product1#l-1"]["LicenseStatus"] == "ACTIVE"
    seller.now += timedelta(minutes=1)
    seller.reconcile()
    assert seller.table.items[BUYER, "product1#l-1"]["LicenseStatus"] == "DEPROVISIONED"


def test_a_wrong_status_with_a_later_time_is_corrected(seller: Seller) -> None:
    subscribed(seller)
    late = {"account": BUYER, "agreement": "agmt-l-1-1", "product_code": "product1", "license_arn": "l-1"}
    at = START + timedelta(hours=2)
    seller.deliver([license_event("Deprovisioned", time=text(at), **late)])

    assert seller.reconcile()["missed"] == 1

    item = seller.table.items[BUYER, "product1#l-1"]
    assert (item["LicenseStatus"], item["LicenseStatusAt"]) == ("ACTIVE", text(at + timedelta(seconds=1)))


def test_entitlements_that_are_missing_or_others_are_recorded(seller: Seller, lines: Lines) -> None:
    subscribed(seller)
    users = [{"Dimension": "Users", "Value": {"IntegerValue": 2}}]
    for recorded in ([], users, None):
        item = seller.table.items[BUYER, "product1#l-1"]
        item["Entitlements"] = recorded
        if recorded is None:
            del item["Entitlements"], item["EntitlementsAt"]
        lines()

        assert seller.reconcile()["missed"] == 1

        assert seller.table.items[BUYER, "product1#l-1"]["Entitlements"] == seller.marketplace.of_license(
            "product1", "l-1"
        )
        assert lines()[0]["outcome"] == "license_missed"


def test_entitlements_in_another_order_and_numbers_in_dynamodbs_form_are_the_same(seller: Seller) -> None:
    subscribed(seller)
    seller.marketplace.entitlements["product1#l-1"] = [
        {"Dimension": "Users", "Value": {"DoubleValue": 1.0}},
        {"Dimension": "Share", "Value": {"BooleanValue": True}},
    ]
    seller.table.items[BUYER, "product1#l-1"]["Entitlements"] = [
        {"Dimension": "Share", "Value": {"BooleanValue": True}},
        {"Dimension": "Users", "Value": {"DoubleValue": 1}},
    ]

    assert seller.reconcile()["missed"] == 0


def test_an_event_that_came_in_between_counts(seller: Seller, lines: Lines) -> None:
    life = subscribed(seller, delivered=False)
    later = {"account": BUYER, "agreement": "agmt-l-1-1", "product_code": "product1", "license_arn": "l-1"}
    event = license_event("Deprovisioned", time=text(START + timedelta(hours=3)), **later)
    seller.marketplace.at_call = lambda: seller.deliver([event] if seller.marketplace.calls[-1] == "licenses" else [])

    seller.reconcile()

    assert seller.table.items[life.account, "product1#l-1"]["LicenseStatus"] == "DEPROVISIONED"
    assert "event_stale" in [line["outcome"] for line in lines()]


def test_a_buyer_who_never_came_is_lost_after_the_delay(seller: Seller, lines: Lines) -> None:
    subscribed(seller, seller.now - timedelta(minutes=61), is_registered=False)

    assert seller.reconcile()["buyers_lost"] == 0
    seller.now += timedelta(minutes=1)
    lines()
    for _ in range(2):
        assert seller.reconcile()["buyers_lost"] == 1
        (lost, _) = lines()
        assert lost["outcome"] == "buyer_lost"
        assert [lost[name] for name in ("CustomerAWSAccountId", "AgreementId", "ProductCode", "LicenseArn")] == [
            BUYER,
            "agmt-l-1-1",
            "product1",
            "l-1",
        ]


def test_a_lost_buyer_is_reported_for_a_day_and_by_a_backfill_again(seller: Seller) -> None:
    since = seller.now
    subscribed(seller, since, is_registered=False)

    reported = []
    for _ in range(30):
        seller.now += timedelta(hours=1)
        reported.append(seller.reconcile()["buyers_lost"])

    assert reported == [0] + [1] * 25 + [0] * 4
    assert seller.reconcile({"since": text(since)})["buyers_lost"] == 1


@pytest.mark.parametrize("with_license", [True, False])
def test_a_buyer_who_registered_is_not_lost(seller: Seller, *, with_license: bool) -> None:
    life = subscribed(seller, is_registered=False)
    seller.table.register(BUYER, "product1", life.license_arn if with_license else "", at=text(START))

    assert seller.reconcile()["buyers_lost"] == 0


def test_a_buyer_whom_every_event_missed_is_lost_too(seller: Seller) -> None:
    subscribed(seller, delivered=False, is_registered=False)

    response = seller.reconcile()

    assert (response["missed"], response["buyers_lost"]) == (2, 1)


def test_a_product_that_no_event_has_named_is_unknown(seller: Seller, lines: Lines) -> None:
    subscribed(seller, delivered=False, is_registered=False)
    seller.records.product_codes.clear()

    seller.marketplace.subscribe(BUYER, "product1", "l-2", START)
    assert seller.reconcile()["products_unknown"] == 1
    (unknown, _, _) = lines()
    assert (unknown["outcome"], unknown["ProductId"], unknown["AgreementId"]) == (
        "product_unknown",
        "prod-product1",
        "agmt-l-1-1",
    )
    # Once its code is known, everything is found.
    assert seller.reconcile({"since": "2026-08-01", "products": {"prod-product1": "product1"}})["missed"] == 4
    assert seller.records.product_codes == {"prod-product1": "product1"}


def test_a_registration_tells_a_products_code(seller: Seller) -> None:
    subscribed(seller, delivered=False)
    seller.records.product_codes.clear()

    assert seller.reconcile()["missed"] == 2
    assert seller.records.product_codes == {"prod-product1": "product1"}


def test_a_registration_tells_nothing_of_an_agreement_with_several_products(seller: Seller) -> None:
    life = subscribed(seller, delivered=False)
    both = {"prod-product1": "SaaSProduct", "prod-product2": "SaaSProduct"}
    seller.marketplace.agreements["agmt-l-1-1"] = replace(life.agreement, products=both)
    seller.records.product_codes = {"prod-product2": "product2"}

    assert seller.reconcile()["products_unknown"] == 1


@pytest.mark.parametrize("code", [None, "another"])
def test_agreements_of_other_products_are_ignored_quietly(seller: Seller, code: str | None, lines: Lines) -> None:
    life = subscribed(seller, delivered=False, is_registered=False)
    kind = "SaaSProduct" if code else "AmiProduct"
    seller.marketplace.agreements["agmt-l-1-1"] = replace(life.agreement, products={"prod-other": kind})
    seller.records.product_codes = {"prod-other": code} if code else {}

    seller.reconcile()

    assert not seller.table.items
    assert [line["message"] for line in lines()] == ["run"]


def test_a_license_of_another_product_of_the_agreement_is_left_alone(seller: Seller) -> None:
    life = subscribed(seller, delivered=False)
    both = {"prod-product1": "SaaSProduct", "prod-other": "SaaSProduct"}
    seller.marketplace.agreements["agmt-l-1-1"] = replace(life.agreement, products=both)
    seller.records.product_codes["prod-other"] = "another"
    seller.marketplace.listed["agmt-l-1-1"] |= {
        name: License(license_arn=name, product_id=product_id, status="PROVISIONED")
        for name, product_id in {"l-2": "prod-other", "l-3": None}.items()
    }

    assert seller.reconcile()["licenses"] == 1


def test_failures_at_one_agreement_do_not_hide_the_next(seller: Seller, lines: Lines) -> None:
    for number in range(3):
        seller.marketplace.subscribe(BUYER, "product1", f"l-{number}", START + timedelta(minutes=number))
    seller.marketplace.errors = {
        "agmt-l-0-1": MarketplaceThrottledError("ThrottlingException"),
        "l-1": MarketplaceDeniedError("AccessDeniedException"),
    }
    finished = seller.records.finished

    response = seller.reconcile()

    assert (response["outcome"], response["failed"]) == ("incomplete", 2)
    failed = [line for line in lines() if line["outcome"].startswith("marketplace")]
    assert [(line["outcome"], line["reason"], line["AgreementId"]) for line in failed] == [
        ("marketplace_throttled", "ThrottlingException", "agmt-l-0-1"),
        ("marketplace_refused", "AccessDeniedException", "agmt-l-1-1"),
    ]
    assert seller.table.items[BUYER, "product1#l-1"]["LicenseStatus"] == "ACTIVE"
    assert seller.table.items[BUYER, "product1#l-2"]["LicenseStatus"] == "ACTIVE"
    # The next run begins again, and looks back to where the last finished one began.
    assert (seller.records.position, seller.records.finished) == (None, finished)
    seller.marketplace.errors.clear()
    assert seller.reconcile()["outcome"] == "finished"
    assert seller.table.items[BUYER, "product1#l-0"]["LicenseStatus"] == "ACTIVE"


def test_a_failed_search_keeps_the_position(seller: Seller, lines: Lines) -> None:
    subscribed(seller)
    seller.marketplace.errors = {"started": MarketplaceDeniedError("AccessDeniedException")}

    assert seller.reconcile()["outcome"] == "incomplete"
    position = seller.records.position
    assert position
    assert position.step == "started"
    assert [line["outcome"] for line in lines()] == ["marketplace_refused", "incomplete"]
    seller.marketplace.errors.clear()
    seller.marketplace.calls.clear()
    # It goes on, but one comparison is missing, so it is not finished.
    assert seller.reconcile()["outcome"] == "incomplete"
    assert "updated" not in seller.marketplace.calls
    assert seller.records.position is None


def test_a_defect_is_reported_and_hides_nothing(seller: Seller, lines: Lines) -> None:
    subscribed(seller, delivered=False)
    second = seller.marketplace.subscribe("222222222222", "product1", "l-2", START + timedelta(minutes=1))
    seller.marketplace.agreements["agmt-l-1-1"] = replace(seller.marketplace.agreements["agmt-l-1-1"], starts_at="?")

    assert seller.reconcile()["outcome"] == "incomplete"
    assert seller.table.items[second.account, "product1#l-2"]["LicenseStatus"] == "ACTIVE"
    (defect,) = [line for line in lines() if line["outcome"] == "unexpected_error"]
    assert defect["reason"].startswith("ValueError in ")
    assert defect["AgreementId"] == "agmt-l-1-1"


def test_an_agreement_that_lacks_what_it_must_have_is_reported(seller: Seller, lines: Lines) -> None:
    subscribed(seller)
    seller.marketplace.malformed = [AgreementMalformedError("statusMissing")]

    assert seller.reconcile()["failed"] == 1
    assert (lines()[0]["outcome"], lines()) == ("event_malformed", [])
    assert seller.reconcile()["agreements"] == 1


def test_a_table_that_cannot_be_read_ends_the_run(seller: Seller, lines: Lines) -> None:
    seller.scanned.error = TableUnavailableError("InternalServerError")
    seller.records.error = TableUnavailableError("InternalServerError")

    assert seller.reconcile() == {"outcome": "incomplete", "reason": "InternalServerError"}
    (run,) = lines()
    assert (run["outcome"], run["reason"], run["levelname"]) == ("incomplete", "InternalServerError", "WARNING")


def test_the_first_run_is_told_apart(seller: Seller, lines: Lines) -> None:
    subscribed(seller, delivered=False, is_registered=False)
    seller.records.finished = None

    seller.reconcile(comparisons=0)
    seller.reconcile()
    assert {line["run"] for line in lines()} == {"first"}
    seller.reconcile()
    assert {line["run"] for line in lines()} == {"hourly"}


def test_a_run_after_an_outage_looks_back_to_the_last_one(seller: Seller, lines: Lines) -> None:
    subscribed(seller, delivered=False)
    seller.now += timedelta(days=9)
    seller.records.finished = text(START)

    assert seller.reconcile()["missed"] == 2
    assert lines()[-1]["since"] == text(START - timedelta(hours=1))


def reseller(seller: Seller, at: datetime = START) -> Life:
    """Let a buyer subscribe through a reseller, whose agreement the seller's search does not find."""
    life = seller.marketplace.subscribe(BUYER, "product1", "l-1", at)
    seller.marketplace.agreements["agmt-l-1-1"] = replace(life.agreement, proposer="333333333333")
    for event in seller.marketplace.events:
        event["detail"]["proposer"]["accountId"] = "333333333333"
    seller.deliver(seller.marketplace.events)
    return life


@pytest.mark.parametrize("page", [1, 2, 10])
def test_a_license_through_a_reseller_is_checked_by_its_entitlements(seller: Seller, page: int) -> None:
    seller.scanned.page = page
    life = reseller(seller)
    registered(seller, life)
    seller.deliver([event | {"id": "again"} for event in seller.marketplace.events])
    seller.marketplace.entitlements["product1#l-1"] = [{"Dimension": "Users", "Value": {"IntegerValue": 9}}]

    response = seller.reconcile()

    assert (response["agreements"], response["licenses"], response["missed"]) == (0, 1, 1)
    assert seller.table.items[BUYER, "product1#l-1"]["Entitlements"] == [
        {"Dimension": "Users", "Value": {"IntegerValue": 9}}
    ]


@pytest.mark.parametrize("page", [1, 2, 10])
def test_a_license_of_the_sellers_own_agreement_is_not_checked_twice(seller: Seller, page: int) -> None:
    seller.scanned.page = page
    # Once for the event.
    subscribed(seller)

    seller.reconcile()

    assert seller.marketplace.calls.count("of_license") == 2


def test_a_license_whose_agreement_is_not_recorded_is_checked(seller: Seller) -> None:
    reseller(seller)
    del seller.table.items[BUYER, "#agmt-l-1-1"]

    assert seller.reconcile()["licenses"] == 1


def test_a_license_that_was_known_long_ago_has_no_lost_buyer(seller: Seller) -> None:
    reseller(seller)

    assert seller.reconcile()["buyers_lost"] == 1
    seller.now += timedelta(hours=26)
    seller.records.finished = text(seller.now)
    assert seller.reconcile()["buyers_lost"] == 0


def test_a_known_license_of_a_product_that_is_not_ours_any_more_is_left_alone(seller: Seller) -> None:
    reseller(seller)
    item = seller.table.items.pop((BUYER, "product1#l-1"))
    seller.table.items[BUYER, "old#l-1"] = {**item, "ProductCode": "old", "ProductLicense": "old#l-1"}

    assert seller.reconcile()["licenses"] == 0


def test_a_known_license_that_has_just_changed_is_left_alone(seller: Seller) -> None:
    reseller(seller, seller.now - timedelta(minutes=20))

    assert seller.reconcile()["licenses"] == 0


def test_by_hand_a_run_is_a_backfill_from_the_time_that_is_given(seller: Seller, lines: Lines) -> None:
    seller.now += timedelta(days=400)
    for number in range(3):
        seller.marketplace.subscribe(BUYER, "product1", f"l-{number}", START + timedelta(days=number))
    request: dict[str, Any] = {"since": "2026-08-01T00:00:00+02:00"}
    missed, calls = 0, 0
    while True:
        response = seller.reconcile(request, comparisons=2)
        missed, calls = missed + response["missed"], calls + 1
        if "position" not in response:
            break
        # As it comes out of a shell.
        request = json.loads(json.dumps({"position": response["position"]}))

    assert (response["outcome"], missed, calls > 2) == ("finished", 6, True)
    assert seller.records.position is None
    assert {line["run"] for line in lines()} == {"backfill"}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"since": "yesterday"}, "SinceInvalid"),
        ({"since": 5}, "SinceInvalid"),
        ({"since": "0001-01-01T00:00:00+05:00"}, "SinceInvalid"),
        ({"since": "1999-12-31"}, "SinceInvalid"),
        (["since"], "MembersInvalid"),
        ({"after": "2026-08-01"}, "MembersInvalid"),
        ({"products": {}}, "MembersInvalid"),
        ({"since": "2026-08-01", "position": {}}, "MembersInvalid"),
        ({"since": "2026-08-01", "products": ["prod-1"]}, "ProductsInvalid"),
        ({"since": "2026-08-01", "products": {"prod-1": ""}}, "ProductsInvalid"),
        ({"position": {}}, "PositionInvalid"),
        ({"position": "updated"}, "PositionInvalid"),
    ],
)
def test_a_request_that_is_not_documented_is_rejected(
    seller: Seller, request_: dict[str, Any], reason: str, lines: Lines
) -> None:
    assert seller.reconcile(request_) == {"outcome": "request_invalid", "reason": reason}
    (run,) = lines()
    assert (run["outcome"], run["reason"]) == ("request_invalid", reason)
    assert not seller.marketplace.calls


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "daily"},
        {"step": "other"},
        {"since": 5},
        {"since": "soon"},
        {"after": 5},
        {"after": "soon"},
        {"key": []},
        {"key": {"a": 1}},
        {"failed": "1"},
        {"more": ""},
    ],
)
def test_a_position_of_another_form_is_rejected(seller: Seller, changes: dict[str, Any]) -> None:
    position = Position.first("backfill", since=START, began=START).write()

    assert seller.reconcile({"position": position})["outcome"] == "finished"
    assert seller.reconcile({"position": position | changes})["reason"] == "PositionInvalid"


def test_lines_have_only_the_fields_that_they_are_said_to_have(seller: Seller, lines: Lines) -> None:
    plain = vars(logging.makeLogRecord({})).keys() | {"message"}
    subscribed(seller, delivered=False, is_registered=False)
    seller.marketplace.errors = {"started": MarketplaceDeniedError("AccessDeniedException")}

    seller.reconcile()
    seller.reconcile({"since": "?"})

    for line in lines():
        assert line.keys() - plain <= {*(RUN_FIELDS if line["message"] == "run" else FINDING_FIELDS)}
        assert line["outcome"] in (OUTCOMES if line["message"] == "run" else FINDINGS)


def test_calls_keep_their_pace_and_are_counted() -> None:
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    pace = Pace(clock=lambda: now, sleep=sleep)
    for _ in range(3):
        with pace.call("search_agreements"):
            now += 0.1
        with pace.call("get_entitlements"):
            pass

    assert slept == pytest.approx([0.15, 0.15])
    assert pace.calls == {"search_agreements": 3, "get_entitlements": 3}
    assert pace.milliseconds["search_agreements"] == pytest.approx(300)
    with pytest.raises(ZeroDivisionError), pace.call("get_entitlements"):
        raise ZeroDivisionError
    assert pace.calls["get_entitlements"] == 4
    pace.reset()
    assert (pace.calls, pace.milliseconds) == ({}, {})


@pytest.mark.parametrize(
    ("recorded", "same"),
    [("2026-08-20T14:00:00.734Z", True), ("2026-08-20T14:00:01Z", False), ("soon", False)],
)
def test_a_term_is_the_same_at_the_same_second(seller: Seller, recorded: str, lines: Lines, *, same: bool) -> None:
    subscribed(seller)
    seller.table.items[BUYER, "#agmt-l-1-1"]["AgreementAcceptedAt"] = recorded

    assert seller.reconcile()["missed"] == 0
    assert [line["outcome"] for line in lines()[:-1]] == ([] if same else ["terms_updated"])
    assert seller.table.items[BUYER, "#agmt-l-1-1"]["AgreementIntent"] == ("NEW" if same else "AMEND")


def test_settings_are_read_from_the_environment() -> None:
    required = {
        "PRODUCTS": '["product"]',
        "REGISTRATIONS_TABLE": "registrations",
        "RECONCILIATION_TABLE": "reconciliation",
        "LOST_BUYER_DELAY_SECONDS": "7200",
    }
    plain = Settings.from_environment(required)
    assert plain == Settings(
        products=frozenset({"product"}),
        registrations_table="registrations",
        reconciliation_table="reconciliation",
        lost_buyer_delay=timedelta(hours=2),
        agreements_region="us-east-1",
        entitlements_region="us-east-1",
        seller_role_arn=None,
        seller_role_external_id=None,
    )
    assert plain.seller_account is None
    optional = {
        "AGREEMENTS_REGION": "eusc-de-east-1",
        "ENTITLEMENTS_REGION": "eusc-de-east-1",
        "SELLER_ROLE_ARN": "arn:aws:iam::444455556666:role/seller",
        "SELLER_ROLE_EXTERNAL_ID": "external-id",
    }
    other = Settings.from_environment(required | optional)
    assert other[4:] == tuple(optional.values())
    assert other.seller_account == "444455556666"
    for name in required:
        with pytest.raises(KeyError, match=f"'{name}'"):
            Settings.from_environment({key: value for key, value in required.items() if key != name})


@pytest.mark.parametrize("delay", [timedelta(minutes=15), timedelta(hours=1), timedelta(hours=24)])
def test_a_lost_buyer_is_reported_for_a_day_whatever_the_delay(delay: timedelta) -> None:
    seller = Seller(delay=delay)
    seller.records.finished = text(START)
    seller.records.product_codes = {f"prod-{product}": product for product in PRODUCTS}
    subscribed(seller, is_registered=False)
    hours = 0
    for _ in range(60):
        seller.now += timedelta(hours=1)
        hours += seller.reconcile()["buyers_lost"]

    assert hours in {24, 25}
