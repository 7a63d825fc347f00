"""A thousand buyers' lives of which every tenth event is lost: one run, and all is as if none had been."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.subscriptions._functions import RECONCILER
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn, MovableClock
from local.product import PRODUCT_CODE
from publisher.delivery import Delivery
from publisher.handler import Handler as Publisher
from publisher.publications import Publications
from reconciler.agreements import MarketplaceAgreements
from reconciler.handler import Handler
from reconciler.pace import Pace
from reconciler.reconciliation import Reconciliation
from sdk import time_limits
from sdk.deadline import Deadline
from sdk.session import create_client, own_session
from subscriber.handler import Handler as Subscriber
from subscriptions.entitlements import MarketplaceEntitlements
from subscriptions.rules import Subscriptions
from tests.reconciliation_fakes import Context, FakeRecords, ScannedTable, differences
from tests.subscription_fakes import FakeEventBus, FakeTable, batch_of, stream_batch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from subscriptions.rules import Entitlements

START = datetime(2026, 8, 20, 6, 0, tzinfo=UTC)
BUYERS = 1000


@pytest.fixture
def marketplace() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn(clock=MovableClock(lambda: START)) as stand_in:
        yield stand_in


def live(marketplace: MarketplaceStandIn, number: int) -> tuple[MarketplaceCustomer, list[dict[str, Any]]]:
    """Let a buyer live in a way of their own, and return the events."""
    make = MarketplaceCustomer.legacy if number % 5 == 0 else MarketplaceCustomer.licensed
    customer = make(PRODUCT_CODE, customer_aws_account_id=f"{number:012}")
    events = marketplace.subscribe(customer, entitlements={"Users": number})
    marketplace.clock.advance(timedelta(seconds=10))
    if number % 2:
        events += marketplace.change(customer, entitlements={"Users": number + 1})
    if number % 3 == 0:
        events += marketplace.renew(customer, new_license=number % 4 == 0)
    if number % 7 < 3:
        events += marketplace.cancel(customer)
    if number % 7 == 0:
        events += marketplace.resubscribe(customer, new_license=number % 2 == 0)
    return marketplace.current(customer), events


def deliver(table: FakeTable, entitlements: Entitlements, events: Iterable[dict[str, Any]]) -> FakeRecords:
    records = FakeRecords(finished="2026-08-20T05:00:00Z")
    subscriptions = Subscriptions(
        store=table, entitlements=entitlements, products={PRODUCT_CODE}, product_codes=records
    )
    assert Subscriber(subscriptions=subscriptions)(batch_of(events), None) == {"batchItemFailures": []}
    return records


def access(table: FakeTable) -> dict[tuple[str, str], Any]:
    """Publish all that changed, and return what a receiver gives each registration by it."""
    bus = FakeEventBus()
    publisher = Publisher(publications=Publications(table), delivery=lambda: Delivery(bus))
    for records in table.stream.values():
        assert publisher(stream_batch_of(records), None) == {"batchItemFailures": []}
    seen: dict[tuple[str, str], tuple[int, Any]] = {}
    for entry in bus.accepted:
        detail = json.loads(entry.detail)
        given = detail["registration"] if entry.kind in {"Subscription Ready", "Subscription Changed"} else None
        key = detail["registration"]["CustomerAWSAccountId"], detail["registration"].get("LicenseArn", "")
        if entry.kind != "Buyer Registered" and detail["revision"] >= seen.get(key, (-1, None))[0]:
            seen[key] = detail["revision"], given and given.get("Entitlements")
    return {key: given for key, (_, given) in seen.items() if given is not None}


@pytest.mark.no_cover
def test_a_thousand_lives_of_which_every_tenth_event_is_lost(marketplace: MarketplaceStandIn) -> None:
    options: dict[str, Any] = {
        "region_name": "us-east-1",
        "endpoint_url": marketplace.endpoint_url,
        "config": time_limits.MARKETPLACE,
    }
    session = own_session(RECONCILER.folder / "models")
    pace = Pace(sleep=lambda _: None)
    entitlements = MarketplaceEntitlements(create_client(session, "marketplace-entitlement", **options), Deadline())
    table, as_if_none_were_lost = FakeTable(), FakeTable()
    events: list[dict[str, Any]] = []
    for number in range(BUYERS):
        customer, lived = live(marketplace, number)
        events += lived
        if number % 11:
            for each in (table, as_if_none_were_lost):
                key = customer.customer_aws_account_id, PRODUCT_CODE, customer.license_arn or ""
                each.register(*key, at="2026-08-20T12:00:00.000000+00:00")
    random.Random(20160114).shuffle(events)
    marketplace.clock.advance(timedelta(hours=3))
    deliver(as_if_none_were_lost, entitlements, events)
    records = deliver(table, entitlements, [event for number, event in enumerate(events) if number % 10])
    assert differences(table.items, as_if_none_were_lost.items)
    reconciler = Handler(
        reconciliation=Reconciliation(
            agreements=MarketplaceAgreements(
                create_client(session, "marketplace-agreement", **options), pace, Deadline()
            ),
            entitlements=entitlements,
            table=ScannedTable(table, page=100),
            records=records,
            subscriptions=Subscriptions(
                store=table, entitlements=entitlements, products={PRODUCT_CODE}, product_codes=records
            ),
            product_codes=records,
            products={PRODUCT_CODE},
            lost_buyer_delay=timedelta(hours=1),
            pace=pace,
            now=marketplace.clock,
        ),
        seller=None,
        now=marketplace.clock,
    )

    response = reconciler({}, Context())

    assert response["outcome"] == "finished"
    assert response["agreements"] >= BUYERS
    assert response["missed"] > BUYERS / 10
    assert differences(table.items, as_if_none_were_lost.items) == {}
    assert access(table) == access(as_if_none_were_lost)
    assert reconciler({}, Context())["missed"] == 0
