"""DynamoDB behaves like the fake table of the unit tests: tests/unit runs the same cases against the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from publisher.store import DynamoDBPartitions
from resolver.store import DynamoDBStore as ResolversStore
from sdk.deadline import Deadline
from subscriptions.errors import EventMalformedError
from subscriptions.store import DynamoDBStore
from tests.subscription_cases import ACCOUNT, CASES, license_, random_calls
from tests.subscription_fakes import FakeTable

if TYPE_CHECKING:
    from resolver.registration import Customer
    from sdk.registrations import Item
    from tests.functional.conftest import Tables
    from tests.subscription_cases import Case


class DynamoDBTable(DynamoDBStore):
    def __init__(self, tables: Tables) -> None:
        deadline = Deadline()
        super().__init__(tables.client, table=tables.registrations, deadline=deadline)
        self._resolver = ResolversStore(
            tables.client, registrations_table=tables.registrations, claims_table=tables.claims, deadline=deadline
        )
        self._partitions = DynamoDBPartitions(tables.client, table=tables.registrations, deadline=deadline)

    def read(self, account: str, prefix: str = "") -> list[Item]:
        return self._partitions.read(account, prefix)

    def register(self, account: str, product_code: str, license_arn: str = "", *, at: str) -> None:
        customer: Customer = {"CustomerAWSAccountId": account, "ProductCode": product_code}
        if license_arn:
            customer["LicenseArn"] = license_arn
        self._resolver.write_registration(customer, at=at)

    def delete(self, account: str, sort_key: str) -> None:
        key = {"CustomerAWSAccountId": {"S": account}, "ProductLicense": {"S": sort_key}}
        self._client.delete_item(TableName=self._table, Key=key)


@pytest.fixture
def table(tables: Tables) -> DynamoDBTable:
    return DynamoDBTable(tables)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_dynamodb_passes_the_cases_for_every_table(table: DynamoDBTable, case: Case) -> None:
    case(table)


def test_dynamodb_and_the_fake_give_the_same_result_for_any_calls(table: DynamoDBTable) -> None:
    fake = FakeTable()

    for number, call in enumerate(random_calls(seed=20160114, count=400)):
        assert call(table) == call(fake), f"call {number}: {call}"


def test_an_item_that_is_larger_than_dynamodb_allows_is_malformed(table: DynamoDBTable) -> None:
    table.write_license(license_())

    with pytest.raises(EventMalformedError, match="ValidationException"):
        table.write_entitlements(license_(), [{"Dimension": "x" * 400 * 1024}])


def test_a_partition_of_several_pages_is_read_whole(table: DynamoDBTable) -> None:
    for number in range(5):
        event = license_(license_arn=f"l-{number}")
        table.write_license(event)
        table.write_entitlements(event, [{"Dimension": "x" * 300 * 1024}])

    assert len(table.read(ACCOUNT)) == 5
