"""DynamoDB behaves like the fake store of the unit tests: tests/unit runs the same cases against the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from resolver.store import DynamoDBStore
from sdk.deadline import Deadline
from tests.fakes import FakeStore
from tests.store_cases import CASES, random_calls

if TYPE_CHECKING:
    from resolver.registration import Customer
    from tests.functional.conftest import Tables
    from tests.store_cases import Case


class DeletableDynamoDB(DynamoDBStore):
    def __init__(self, tables: Tables) -> None:
        super().__init__(
            tables.client, registrations_table=tables.registrations, claims_table=tables.claims, deadline=Deadline()
        )
        self._tables = tables

    def delete_registration(self, customer: Customer) -> None:
        key = customer["CustomerAWSAccountId"], f"{customer['ProductCode']}#{customer.get('LicenseArn', '')}"
        names = "CustomerAWSAccountId", "ProductLicense"
        self._tables.client.delete_item(
            TableName=self._tables.registrations,
            Key={name: {"S": value} for name, value in zip(names, key, strict=True)},
        )

    def delete_claim(self, code_hash: str) -> None:
        self._tables.client.delete_item(TableName=self._tables.claims, Key={"CodeHash": {"S": code_hash}})


@pytest.fixture
def store(tables: Tables) -> DeletableDynamoDB:
    return DeletableDynamoDB(tables)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_dynamodb_passes_the_cases_for_every_store(store: DeletableDynamoDB, case: Case) -> None:
    case(store)


def test_dynamodb_and_the_fake_give_the_same_result_for_any_calls(store: DeletableDynamoDB) -> None:
    fake = FakeStore()

    for number, call in enumerate(random_calls(seed=20160114, count=200)):
        assert call(store) == call(fake), f"call {number}: {call}"
