"""The reconciler as composed in Lambda, against the Marketplace stand-in and DynamoDB over HTTP."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from constructs_lib.subscriptions._functions import RECONCILER, SUBSCRIBER
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn, MovableClock
from local.product import PRODUCT_CODE
from reconciler.composition import compose
from reconciler.pace import PER_SECOND, Pace
from reconciler.position import Position
from reconciler.settings import Settings
from reconciler.store import DynamoDBRecords, DynamoDBTable
from sdk.deadline import Deadline
from subscriber import composition as subscribers
from subscriber.settings import Settings as SubscribersSettings
from subscriptions.errors import TableUnavailableError
from subscriptions.product_codes import NAME, DynamoDBProductCodes
from tests.reconciliation_fakes import Context, differences
from tests.subscription_fakes import batch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.handler import Handler
    from sdk.registrations import Item
    from subscriber.handler import Handler as Subscriber
    from tests.functional.conftest import Tables

START = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)


@dataclass
class Tools:
    """The functions of a seller, and the table that they write."""

    marketplace: MarketplaceStandIn
    tables: Tables
    records: DynamoDBRecords
    reconciliation_table: str
    subscriber: Subscriber
    reconciler: Handler
    caplog: pytest.LogCaptureFixture

    def run(self, request: dict[str, Any] | None = None, comparisons: int = 10**9) -> dict[str, Any]:
        return self.reconciler(request or {}, Context(comparisons))

    def deliver(self, *events: dict[str, Any]) -> None:
        assert self.subscriber(batch_of(events), None) == {"batchItemFailures": []}

    def items(self) -> dict[tuple[str, str], Item]:
        table = DynamoDBTable(self.tables.client, table=self.tables.registrations, deadline=Deadline())
        accounts = {item["CustomerAWSAccountId"] for item in self.tables.items(self.tables.registrations)}
        found = [item for account in accounts for item in table.read(account)]
        return {(item["CustomerAWSAccountId"], item["ProductLicense"]): item for item in found}

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [vars(record) for record in self.caplog.records if record.name == "reconciler"]


@pytest.fixture
def marketplace() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn(clock=MovableClock(lambda: START)) as stand_in:
        yield stand_in


@pytest.fixture
def reconciliation_table(tables: Tables) -> str:
    name = tables.registrations.replace("registrations", "reconciliation")
    tables.client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": NAME, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": NAME, "KeyType": "HASH"}],
    )
    return name


@pytest.fixture
def tools(
    endpoints: None,  # noqa: ARG001 - sets the environment
    tables: Tables,
    marketplace: MarketplaceStandIn,
    reconciliation_table: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Tools:
    for service in ("AGREEMENT", "ENTITLEMENT_SERVICE"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_MARKETPLACE_{service}", marketplace.endpoint_url)
    caplog.set_level(logging.INFO, "reconciler")
    environment = {
        "PRODUCTS": json.dumps([PRODUCT_CODE]),
        "REGISTRATIONS_TABLE": tables.registrations,
        "RECONCILIATION_TABLE": reconciliation_table,
        "LOST_BUYER_DELAY_SECONDS": "3600",
    }
    records = DynamoDBRecords(tables.client, table=reconciliation_table, deadline=Deadline())
    records.write(None, "2026-08-20T13:00:00Z")
    return Tools(
        marketplace=marketplace,
        tables=tables,
        records=records,
        reconciliation_table=reconciliation_table,
        subscriber=subscribers.compose(
            SubscribersSettings.from_environment(environment), models=SUBSCRIBER.folder / "models"
        ),
        reconciler=compose(
            Settings.from_environment(environment),
            models=RECONCILER.folder / "models",
            pace=Pace(sleep=lambda _: None),
            now=marketplace.clock,
        ),
        caplog=caplog,
    )


def name_the_product(tools: Tools) -> None:
    """Let it be known which product it is."""
    event = tools.marketplace.event(MarketplaceCustomer.licensed(PRODUCT_CODE), "License Updated - Manufacturer")
    codes = DynamoDBProductCodes(tools.tables.client, table=tools.reconciliation_table, deadline=Deadline())
    codes.record(event["detail"]["product"]["id"], PRODUCT_CODE)


def live(marketplace: MarketplaceStandIn, customer: MarketplaceCustomer) -> list[dict[str, Any]]:
    """Let a buyer live through everything, and return the events."""
    events = marketplace.subscribe(customer, entitlements={"Users": 5, "Share": 0.5, "Support": True, "Plan": "gold"})
    steps: list[Callable[[], list[dict[str, Any]]]] = [
        lambda: marketplace.change(customer, entitlements={"Users": 6}),
        lambda: marketplace.renew(customer, entitlements={"Users": 7}),
        lambda: marketplace.cancel(customer),
        lambda: marketplace.resubscribe(customer, entitlements={"Users": 8}),
        lambda: marketplace.renew(customer, new_license=True),
    ]
    for number, step in enumerate(steps):
        marketplace.clock.advance(timedelta(minutes=10 + number))
        events += step()
    marketplace.clock.advance(timedelta(hours=3))
    return events


@pytest.mark.parametrize("continued", ["PROVISIONED", "DEPROVISIONED"])
def test_a_buyer_whom_every_event_missed_is_recorded_as_if_none_had(tools: Tools, continued: Any) -> None:
    tools.marketplace.agreements.show_continued(continued)
    name_the_product(tools)
    events = live(tools.marketplace, MarketplaceCustomer.licensed(PRODUCT_CODE))

    assert tools.run()["outcome"] == "finished"
    repaired = tools.items()
    tools.deliver(*events)
    assert differences(repaired, tools.items()) == {}
    assert tools.run()["missed"] == 0


def test_all_pages_are_read_also_after_empty_ones(tools: Tools) -> None:
    name_the_product(tools)
    for number in range(5):
        customer = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=f"{number:012}")
        tools.marketplace.subscribe(customer, entitlements={"Users": 5, "Share": 0.5})
        tools.marketplace.clock.advance(timedelta(minutes=1))
    tools.marketplace.clock.advance(timedelta(hours=2))
    tools.marketplace.agreements.paginate()
    tools.marketplace.entitlements.paginate()

    response = tools.run()

    assert (response["outcome"], response["agreements"], response["buyers_lost"]) == ("finished", 5, 5)
    items = [item for item in tools.items().values() if item.get("LicenseStatus") == "ACTIVE"]
    assert [len(item["Entitlements"]) for item in items] == [2] * 5


def test_the_calls_are_those_that_the_policy_and_the_reference_allow(tools: Tools) -> None:
    name_the_product(tools)
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    tools.marketplace.subscribe(customer)
    tools.marketplace.clock.advance(timedelta(hours=2))

    tools.run()

    calls = tools.marketplace.agreements.calls
    assert {(call.region, call.access_key_id, call.outcome) for call in calls} == {("us-east-1", "test", "OK")}
    updated, *licenses, started = calls
    assert {name: values["values"] for name, values in filters(updated).items()} == {
        "PartyType": ["Proposer"],
        "AgreementType": ["PurchaseAgreement"],
        "AfterLastUpdateTime": ["2026-08-19T13:59:59Z"],
    }
    assert updated.request["catalog"] == "AWSMarketplace"
    assert updated.request["sort"] == {"sortBy": "LastUpdateTime", "sortOrder": "ASCENDING"}
    assert {call.operation for call in licenses} == {"GetAgreementEntitlements"}
    assert filters(started).keys() == {"PartyType", "AgreementType", "AfterStartTime", "BeforeStartTime"}
    assert started.request["sort"] == {"sortBy": "StartTime", "sortOrder": "ASCENDING"}


def filters(call: Any) -> dict[str, Any]:
    return {each["name"]: each for each in call.request["filters"]}


@pytest.mark.parametrize("operation", ["search_agreements", "get_agreement_entitlements"])
@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (lambda faults: faults.throttle(3), "marketplace_throttled", "ThrottlingException"),
        (lambda faults: faults.fail(3), "marketplace_unavailable", "InternalServerException"),
        (lambda faults: faults.close_connection(3), "marketplace_unavailable", "ConnectionClosedError"),
        (lambda faults: faults.refuse(1), "marketplace_refused", "AccessDeniedException"),
    ],
)
def test_a_failure_of_a_call_is_an_outcome_and_the_next_run_repairs_it(
    tools: Tools, operation: str, fault: Callable[[Any], None], outcome: str, reason: str
) -> None:
    name_the_product(tools)
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    tools.marketplace.subscribe(customer, entitlements={"Users": 5})
    tools.marketplace.clock.advance(timedelta(hours=2))
    fault(getattr(tools.marketplace.agreements, operation))

    response = tools.run()

    assert (response["outcome"], response["failed"]) == ("incomplete", 1)
    (failed,) = [line for line in tools.lines if line["outcome"] == outcome]
    assert failed["reason"] == reason
    while tools.run()["outcome"] != "finished":
        pass
    key = customer.customer_aws_account_id, f"{PRODUCT_CODE}#{customer.license_arn}"
    assert tools.items()[key]["LicenseStatus"] == "ACTIVE"


@pytest.mark.parametrize("failures", [1, 2])
def test_the_sdk_retries_what_passes(tools: Tools, failures: int) -> None:
    tools.marketplace.agreements.search_agreements.throttle(failures)

    assert tools.run()["outcome"] == "finished"


def test_an_agreement_that_lacks_what_it_must_have_does_not_hide_the_next(tools: Tools) -> None:
    summary = {
        "agreementId": "agmt-1",
        "acceptor": {"accountId": "111122223333"},
        "lastUpdateTime": START.timestamp(),
        "acceptanceTime": START.timestamp(),
        "startTime": START.timestamp(),
        "status": "ACTIVE",
    }
    tools.marketplace.clock.advance(timedelta(hours=1))
    without = {name: value for name, value in summary.items() if name != "status"}
    tools.marketplace.agreements.search_agreements.answer({"agreementViewSummaries": [without, summary]})

    response = tools.run()

    assert (response["agreements"], response["failed"]) == (1, 1)
    assert (tools.lines[0]["outcome"], tools.lines[0]["reason"]) == ("event_malformed", "statusMissing")


def test_a_license_without_an_arn_is_none_yet(tools: Tools) -> None:
    name_the_product(tools)
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    tools.marketplace.subscribe(customer)
    tools.marketplace.clock.advance(timedelta(hours=2))
    tools.marketplace.agreements.get_agreement_entitlements.answer(
        {"agreementEntitlements": [{"status": "PENDING", "statusReasonCode": "PROVISIONING_IN_PROGRESS"}]}, times=2
    )

    tools.run()

    assert not [item for item in tools.items().values() if item.get("LicenseStatus") == "ACTIVE"]


def test_the_pace_stays_below_the_quotas(tools: Tools, tables: Tables, marketplace: MarketplaceStandIn) -> None:
    name_the_product(tools)
    for number in range(12):
        customer = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=f"{number:012}")
        marketplace.subscribe(customer)
    marketplace.clock.advance(timedelta(hours=2))
    marketplace.agreements.enforce_quotas()
    marketplace.agreements.paginate(2)
    environment = {
        "PRODUCTS": json.dumps([PRODUCT_CODE]),
        "REGISTRATIONS_TABLE": tables.registrations,
        "RECONCILIATION_TABLE": tools.reconciliation_table,
        "LOST_BUYER_DELAY_SECONDS": "3600",
    }
    paced = compose(Settings.from_environment(environment), models=RECONCILER.folder / "models", now=marketplace.clock)

    assert paced({}, Context())["outcome"] == "finished"

    assert {call.outcome for call in marketplace.agreements.calls} == {"OK"}
    # Each list has one license, after an empty page.
    assert tools.lines[-1]["get_agreement_entitlements_calls"] == 24
    assert PER_SECOND["search_agreements"] < 5


def test_records_are_kept(tools: Tools) -> None:
    position = Position.first("hourly", since=START, began=START)
    key = {"CustomerAWSAccountId": "111122223333", "ProductLicense": "product#l-1"}
    for number in range(3):
        tools.tables.client.put_item(
            TableName=tools.reconciliation_table, Item={NAME: {"S": f"prod-{number}"}, "ProductCode": {"S": "code"}}
        )
    known = replace(position.at("known"), key=key)
    for kept, finished in ((position, None), (known, "2026-08-20T13:00:00Z"), (None, None)):
        tools.records.write(kept, finished)

        records = tools.records.read()

        assert (records.position, records.finished) == (kept, finished)
        assert records.product_codes == {f"prod-{number}": "code" for number in range(3)}


def test_a_position_of_another_release_is_forgotten(tools: Tools) -> None:
    tools.tables.client.put_item(
        TableName=tools.reconciliation_table,
        Item={NAME: {"S": "position"}, "RunPosition": {"S": '{"step": "other"}'}},
    )

    assert tools.records.read().position is None


def test_the_scan_reads_active_licenses_and_agreements_page_by_page(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.deliver(*live(tools.marketplace, MarketplaceCustomer.licensed(PRODUCT_CODE)))
    table = DynamoDBTable(tools.tables.client, table=tools.tables.registrations, deadline=Deadline())
    whole, key = table.scan({})
    assert key == {}
    scan = tools.tables.client.scan
    monkeypatch.setattr(tools.tables.client, "scan", lambda **request: scan(**{**request, "Limit": 1}))

    pages, key = [], {}
    while True:
        items, key = table.scan(key)
        pages += items
        if not key:
            break

    assert pages == whole
    assert {item.get("LicenseStatus", "ACTIVE") for item in whole} == {"ACTIVE"}
    # Four agreements, and the license of the last one.
    assert len(whole) == 5


def test_records_of_many_products_are_read_from_all_pages(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        tools.tables.client.put_item(
            TableName=tools.reconciliation_table, Item={NAME: {"S": f"prod-{number}"}, "ProductCode": {"S": "code"}}
        )
    scan = tools.tables.client.scan
    monkeypatch.setattr(tools.tables.client, "scan", lambda **request: scan(**{**request, "Limit": 1}))

    assert len(tools.records.read().product_codes) == 3


def test_a_table_that_is_not_there_is_an_outcome(tools: Tools) -> None:
    records = DynamoDBRecords(tools.tables.client, table="unknown", deadline=Deadline())
    with pytest.raises(TableUnavailableError) as failure:
        records.read()
    assert failure.value.reason == "ResourceNotFoundException"
    boto3.client("dynamodb", endpoint_url=tools.tables.client.meta.endpoint_url).delete_table(
        TableName=tools.tables.registrations
    )
    tools.marketplace.subscribe(MarketplaceCustomer.licensed(PRODUCT_CODE))
    tools.marketplace.clock.advance(timedelta(hours=1))

    assert tools.run()["outcome"] == "incomplete"
    assert {line["outcome"] for line in tools.lines} == {"store_unavailable", "incomplete"}


def test_a_renewal_that_only_moves_the_end_is_no_missed_event(tools: Tools) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    events = tools.marketplace.subscribe(customer, entitlements={"Users": 5})
    tools.marketplace.clock.advance(timedelta(minutes=10))
    tools.deliver(*events, *tools.marketplace.renew(customer, new_agreement=False))
    tools.marketplace.clock.advance(timedelta(hours=2))

    assert tools.run()["missed"] == 0

    assert [line["outcome"] for line in tools.lines] == ["terms_updated", "buyer_lost", "finished"]
    agreement = tools.items()[customer.customer_aws_account_id, f"#{customer.agreement_id}"]
    assert agreement["AgreementEndsAt"].startswith("2028")
    tools.run()
    assert [line["outcome"] for line in tools.lines[3:]] == ["buyer_lost", "finished"]
