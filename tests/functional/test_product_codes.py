"""The product codes that the reconciliation needs, in DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from sdk.deadline import Deadline
from subscriptions.errors import TableUnavailableError
from subscriptions.product_codes import NAME, DynamoDBProductCodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "product-codes"


@pytest.fixture
def client(dynamodb_url: str) -> Iterator[DynamoDBClient]:
    client = boto3.client("dynamodb", endpoint_url=dynamodb_url, config=Config(retries={"total_max_attempts": 1}))
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": NAME, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": NAME, "KeyType": "HASH"}],
    )
    yield client
    client.delete_table(TableName=TABLE)


def test_a_product_code_is_written_once_for_each_object(client: DynamoDBClient) -> None:
    codes = DynamoDBProductCodes(client, table=TABLE, deadline=Deadline())
    codes.record("prod-1", "code")
    client.delete_item(TableName=TABLE, Key={NAME: {"S": "prod-1"}})

    codes.record("prod-1", "code")
    assert client.scan(TableName=TABLE)["Items"] == []
    DynamoDBProductCodes(client, table=TABLE, deadline=Deadline()).record("prod-1", "code")
    assert client.scan(TableName=TABLE)["Items"] == [{NAME: {"S": "prod-1"}, "ProductCode": {"S": "code"}}]


def test_one_that_could_not_be_written_is_written_later(client: DynamoDBClient) -> None:
    codes = DynamoDBProductCodes(client, table="unknown", deadline=Deadline())

    for _ in range(2):
        with pytest.raises(TableUnavailableError) as failure:
            codes.record("prod-2", "code")
        assert failure.value.reason == "ResourceNotFoundException"
