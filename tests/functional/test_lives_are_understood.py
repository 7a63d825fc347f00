"""The events of the Marketplace stand-in are those that the subscriber reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest

from constructs_lib.testing import MarketplaceCustomer, MarketplaceEventType
from local.product import PRODUCT_CODE
from subscriber.marketplace_event import read_envelope, read_event
from subscriptions.rules import AgreementEvent, LicenseEvent, Notice

if TYPE_CHECKING:
    from constructs_lib.testing import MarketplaceStandIn
    from subscriptions.rules import Event


def read(event: object) -> Event:
    return read_event(read_envelope(json.dumps(event)))


@pytest.mark.parametrize(
    "customer", [MarketplaceCustomer.licensed(PRODUCT_CODE), MarketplaceCustomer.legacy(PRODUCT_CODE)]
)
def test_a_whole_life_is_read(marketplace: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    lives = [
        marketplace.subscribe(customer),
        marketplace.change(customer, entitlements={"Users": 50}),
        marketplace.renew(customer),
        marketplace.renew(customer, new_license=True),
        marketplace.renew(customer, new_agreement=False),
        marketplace.cancel(customer),
        marketplace.resubscribe(customer),
        marketplace.cancel(customer, status="TERMINATED"),
    ]

    events = [read(event) for step in lives for event in step]

    assert {event.account for event in events if isinstance(event, AgreementEvent | LicenseEvent)} == {
        customer.customer_aws_account_id
    }
    statuses = [event.status for event in events if isinstance(event, LicenseEvent)]
    assert (statuses[0], statuses[-1]) == ("ACTIVE", "DEPROVISIONED")
    ended = {event.status for event in events if isinstance(event, AgreementEvent)}
    assert ended == {"ACTIVE", "RENEWED", "CANCELLED", "TERMINATED"}


@pytest.mark.parametrize("detail_type", get_args(MarketplaceEventType))
def test_every_kind_is_known(marketplace: MarketplaceStandIn, detail_type: str) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    marketplace.subscribe(customer)

    event = read(marketplace.event(customer, detail_type))

    assert not isinstance(event, Notice) or event.outcome in {"event_ignored", "advisory_issued", "advisory_resolved"}
