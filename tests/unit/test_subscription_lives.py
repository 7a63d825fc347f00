"""Buyers' lives in any order, with repeats and killed workers, end in one state, and are told in an order to act on.

Rules of the design, each a property here: the table ends as the latest event times say; a subscription is told Ready
before Ended, at least once each, and never Ready for what is not registered or not active; a receiver that ignores
lower revisions ends right even if the bus mixes everything up.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.delivery import Delivery
from publisher.errors import EventBusThrottledError
from publisher.handler import Handler as Publisher
from publisher.publications import Publications
from subscriber.handler import Handler as Subscriber
from subscriptions.errors import MarketplaceUnavailableError
from subscriptions.rules import Subscriptions
from tests.marketplace_events import BUYER, agreement_event, license_event
from tests.subscription_fakes import FakeEventBus, FakeTable, batch_of, stream_batch_of

if TYPE_CHECKING:
    from publisher.delivery import Entry
    from publisher.errors import PublisherError
    from tests.marketplace_events import Event

PRODUCTS = ("product1", "product2")
ENDINGS = ("CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED")


class KilledError(BaseException):
    """The worker's execution environment ended in the middle of its work."""


@dataclass(frozen=True)
class License:
    product: str
    arn: str
    legacy: bool
    """Whether the buyer registers without it."""

    @property
    def registration(self) -> tuple[str, str]:
        return self.product, "" if self.legacy else self.arn


def second(number: int) -> str:
    return f"2026-08-20T14:{number // 60:02}:{number % 60:02}Z"


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[License], list[Event]]:
    """Draw licenses of one buyer, and the events of their lives as Marketplace sent them."""
    licenses = draw(
        st.lists(
            st.builds(License, st.sampled_from(PRODUCTS), st.sampled_from(["l-1", "l-2"]), st.booleans()),
            min_size=1,
            max_size=3,
            unique_by=lambda each: (each.product, each.arn),
        )
    )
    events = []
    for each in licenses:
        of = f"agmt-{each.product}-{each.arn}"
        clock, generation = 0, 0
        for step in draw(st.lists(st.sampled_from(["update", "deprovision", "amend", "end", "renew"]), max_size=6)):
            # Now and then two events of one second.
            clock += draw(st.integers(0, 2))
            if step == "renew":
                generation += 1
                clock += 1
                created = {"intent": "RENEW", "status": "ACTIVE", "previousAgreementId": f"{of}-{generation - 1}"}
                events.append(agreement_event("Created", time=second(clock), **created, id=f"{of}-{generation}"))
                events.append(
                    agreement_event("Ended", time=second(clock), status="RENEWED", id=f"{of}-{generation - 1}")
                )
            agreement = f"{of}-{generation}"
            if step == "amend":
                events.append(
                    agreement_event("Amended", time=second(clock), intent="AMEND", status="ACTIVE", id=agreement)
                )
            elif step == "end":
                status = draw(st.sampled_from(ENDINGS))
                events.append(agreement_event("Ended", time=second(clock), status=status, id=agreement))
            else:
                kind = "Deprovisioned" if step == "deprovision" else "Updated"
                events.append(
                    license_event(
                        kind,
                        time=second(clock),
                        product_code=each.product,
                        license_arn=each.arn,
                        agreement=agreement,
                    )
                )
    return licenses, events


@dataclass
class World:
    """Marketplace, the queue, the table and its stream, the bus: all that can fail does, as the draws say."""

    data: st.DataObject
    events: list[Event]
    licenses: list[License]
    table: FakeTable = field(default_factory=FakeTable)
    bus: FakeEventBus = field(default_factory=FakeEventBus)
    faulty: bool = True
    alone: bool = True
    """Whether no second worker is at work while the first one waits for Marketplace."""
    newest: dict[str, str] = field(default_factory=dict)
    were_ready: set[tuple[str, str]] = field(default_factory=set)
    posts: int = 0

    def __post_init__(self) -> None:
        self.subscriber = Subscriber(
            subscriptions=Subscriptions(store=self.table, entitlements=self, products=frozenset(PRODUCTS))
        )
        self.publisher = Publisher(
            publications=Publications(self.table),
            delivery=lambda: Delivery(self.bus, sleep=lambda _: None),
        )
        self.bus.decide = self.decide

    def chance(self) -> bool:
        return self.faulty and self.data.draw(st.integers(0, 4)) == 0

    def of_license(self, product_code: str, license_arn: str) -> list[Any]:
        if self.chance():
            raise MarketplaceUnavailableError("InternalServiceErrorException")
        # What Marketplace says is at least as new as its newest event that was delivered.
        entitlements = [{"Dimension": f"{product_code} at {self.newest[product_code + license_arn]}"}]
        if self.alone and self.chance():
            self.alone = False
            self.deliver(self.data.draw(st.sampled_from(self.events)))
            self.alone = True
        return entitlements

    def decide(self, entry: Entry) -> PublisherError | None:
        if self.chance():
            return EventBusThrottledError("ThrottlingException")
        if self.chance():
            self.bus.accepted.append(entry)
            raise KilledError
        return None

    def deliver(self, event: Event) -> bool:
        """Deliver a message, and tell whether it is done; half of the failed ones failed before any write."""
        if event["detail-type"].startswith("License Updated"):
            which = event["detail"]["product"]["code"] + event["detail"]["license"]["arn"]
            self.newest[which] = max(self.newest.get(which, ""), event["time"])
        if self.chance():
            self.table.fail_at = self.data.draw(
                st.sampled_from(["write_license", "write_entitlements", "write_agreement_status"])
            )
        done = not self.subscriber(batch_of([event]), None)["batchItemFailures"]
        self.table.fail_at = None
        self.note_ready()
        return done and not self.chance()

    def post(self, each: License) -> None:
        self.posts += 1
        self.table.register(BUYER, *each.registration, at=f"2026-08-20T14:{self.posts:02}:00.000000+00:00")
        self.note_ready()

    def publish(self, key: tuple[str, str]) -> None:
        """Publish some records of one item, the oldest first; a shard has items in any order of its neighbors."""
        records = self.table.stream[key]
        batch = stream_batch_of(records[: self.data.draw(st.integers(1, 3))])
        if self.chance():
            self.table.fail_at = "read"
        try:
            failures = self.publisher(batch, None)["batchItemFailures"]
        except KilledError:
            failures = [{"itemIdentifier": batch["Records"][0]["dynamodb"]["SequenceNumber"]}]
        self.table.fail_at = None
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch["Records"]]
        done = numbers.index(failures[0]["itemIdentifier"]) if failures else len(numbers)
        del records[:done]

    def waiting(self) -> list[tuple[str, str]]:
        return sorted(key for key, records in self.table.stream.items() if records)

    def live(self) -> None:
        """Let everything happen once at least, in any order."""
        queue = list(self.events)
        posts = self.data.draw(st.lists(st.sampled_from(self.licenses), max_size=4))
        while queue or posts or self.waiting():
            choices = ["event"] * bool(queue) + ["post"] * bool(posts) + ["publish"] * bool(self.waiting())
            choice = self.data.draw(st.sampled_from(choices))
            if choice == "post":
                self.post(posts.pop())
            elif choice == "publish":
                self.publish(self.data.draw(st.sampled_from(self.waiting())))
            else:
                event = queue.pop(self.data.draw(st.integers(0, len(queue) - 1)))
                done = self.deliver(event)
                if not done or self.chance():
                    queue.append(event)
            # A fault may be drawn for ever.
            self.faulty = self.faulty and len(self.table.reads) + len(self.bus.calls) < 60

    def note_ready(self) -> None:
        self.were_ready |= {each.registration for each in self.licenses if self.is_ready(*each.registration)}

    def is_ready(self, product: str, arn: str) -> bool:
        item = self.table.items.get((BUYER, f"{product}#{arn}"), {})
        items = [item] if arn else self.table.read(BUYER, f"{product}#")
        return "RegisteredAt" in item and any(each.get("LicenseStatus") == "ACTIVE" for each in items)

    def told(self, product: str, arn: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what was told of a subscription, in the order of the bus."""
        told = [(entry.kind, json.loads(entry.detail)) for entry in self.bus.accepted]
        return [
            (kind, detail)
            for kind, detail in told
            if (detail["registration"]["ProductCode"], detail["registration"].get("LicenseArn", "")) == (product, arn)
        ]


def expected(each: License, events: list[Event]) -> dict[str, Any]:
    """Return what the latest event says of a license."""
    of_license = [
        (event["time"], "DEPROVISIONED" if "Deprov" in event["detail-type"] else "ACTIVE")
        for event in events
        if event["detail-type"].startswith("License")
        and (event["detail"]["product"]["code"], event["detail"]["license"]["arn"]) == (each.product, each.arn)
    ]
    if not of_license:
        return {}
    at, status = max(of_license)
    if status == "DEPROVISIONED":
        return {"LicenseStatus": status, "LicenseStatusAt": at}
    entitlements = [{"Dimension": f"{each.product} at {at}"}]
    return {"LicenseStatus": status, "LicenseStatusAt": at, "Entitlements": entitlements, "EntitlementsAt": at}


def expected_agreements(events: list[Event]) -> dict[str, tuple[str, str]]:
    latest: dict[str, tuple[str, str]] = {}
    for event in events:
        if "status" in (agreement := event["detail"]["agreement"]):
            says = event["time"], agreement["status"]
            latest[agreement["id"]] = max(latest.get(agreement["id"], ("", "")), says)
    return latest


def access(kind: str) -> bool | None:
    return {"Subscription Ready": True, "Subscription Changed": True, "Subscription Ended": False}.get(kind)


def received(told: list[tuple[str, dict[str, Any]]]) -> bool:
    """Return the access that a receiver gives who ignores lower revisions."""
    seen, given = -1, False
    for kind, detail in told:
        if detail["revision"] >= seen and access(kind) is not None:
            seen, given = detail["revision"], bool(access(kind))
    return given


def check_table(world: World) -> None:
    """The table is what the latest events say."""
    for each in world.licenses:
        item = world.table.items.get((BUYER, f"{each.product}#{each.arn}"), {})
        names = ("LicenseStatus", "LicenseStatusAt", "Entitlements", "EntitlementsAt")
        assert {name: item[name] for name in names if name in item} == expected(each, world.events)
    for agreement_id, (at, status) in expected_agreements(world.events).items():
        item = world.table.items[BUYER, f"#{agreement_id}"]
        assert (item["AgreementStatusAt"], item["AgreementStatus"]) == (at, status)


def check_told(world: World, product: str, arn: str) -> None:
    told = world.told(product, arn)
    is_ready = world.is_ready(product, arn)
    kinds = [kind for kind, _ in told]

    # Never Ready for what is not registered or not active.
    for kind, detail in told:
        if access(kind):
            assert detail["registration"]["RegisteredAt"]
            assert detail["registration"]["LicenseStatus"] == "ACTIVE"
    if (product, arn) not in world.were_ready:
        assert "Subscription Ready" not in kinds
    # At least once each, and a receiver ends right, whatever becomes of the order.
    if is_ready or (arn and (product, arn) in world.were_ready):
        assert "Subscription Ready" in kinds
    if "Subscription Ready" in kinds and not is_ready:
        assert "Subscription Ended" in kinds
    shuffled = random.Random(0).sample(told, len(told))
    assert received(told) == received(shuffled) == is_ready


def check_order(world: World, product: str, arn: str) -> None:
    """The bus keeps it here: a subscription with a license is told one thing after the other."""
    told = world.told(product, arn)
    # Repeats left out.
    once = list({detail["id"]: kind for kind, detail in told}.values())
    decisive = [kind for kind in once if kind in {"Subscription Ready", "Subscription Ended"}]
    assert decisive == (["Subscription Ready", "Subscription Ended"] * len(decisive))[: len(decisive)]
    # The last one is right even for a receiver who looks at no revision.
    given = [access(kind) for kind, _ in told if access(kind) is not None]
    assert (given or [False])[-1] == world.is_ready(product, arn)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lives(), st.data())
def test_any_order_and_any_fault_end_the_same_and_are_told_so(
    life: tuple[list[License], list[Event]], data: st.DataObject
) -> None:
    licenses, events = life
    world = World(data, events, licenses)

    world.live()

    check_table(world)
    for product, arn in {each.registration for each in licenses}:
        check_told(world, product, arn)
        if arn:
            check_order(world, product, arn)
