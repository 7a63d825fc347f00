"""The adapters of DynamoDB: the registrations table as it is compared, and the reconciliation's own table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.position import Position, PositionInvalidError
from reconciler.reconciliation import Records
from sdk.items import query, read_item
from sdk.registrations import ACTIVE
from subscriptions.calls import of_table, update
from subscriptions.product_codes import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from sdk.deadline import Deadline
    from sdk.registrations import Item

_POSITION = "position"

# A whole megabyte may take longer than a call may.
_PAGE = 200


class DynamoDBTable:
    """Reads the registrations table.

    Args:
        client: boto3's ``dynamodb``.
        table: name or ARN of the registrations table.
        deadline: bounds each call.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._deadline = deadline

    def read(self, account: str) -> list[Item]:
        """Return the items of a buyer's partition, as they are now."""
        with of_table(self._deadline):
            return query(self._client, self._table, account)

    def scan(self, after: Mapping[str, str]) -> tuple[list[Item], Mapping[str, str]]:
        """Return the active licenses and the agreements of a page, and the key after which the next one begins."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Limit": _PAGE,
            "FilterExpression": "LicenseStatus = :active OR attribute_exists(AgreementStatus)",
            "ExpressionAttributeValues": {":active": {"S": ACTIVE}},
        }
        if after:
            request["ExclusiveStartKey"] = {name: {"S": value} for name, value in after.items()}
        with of_table(self._deadline):
            page = self._client.scan(**request)
        key = {name: value["S"] for name, value in page.get("LastEvaluatedKey", {}).items()}
        return [read_item(attributes) for attributes in page.get("Items", ())], key


class DynamoDBRecords:
    """Keeps what runs leave in the reconciliation's table.

    Args:
        client: boto3's ``dynamodb``.
        table: name or ARN of the reconciliation's table.
        deadline: bounds each call.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._deadline = deadline

    def read(self) -> Records:
        """Return what earlier runs left, read consistently."""
        items: dict[str, Mapping[str, Any]] = {}
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        with of_table(self._deadline):
            while True:
                page = self._client.scan(**request)
                items |= {item[NAME]["S"]: item for item in page["Items"]}
                if "LastEvaluatedKey" not in page:
                    break
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        own = items.pop(_POSITION, {})
        return Records(
            position=_read_position(own["RunPosition"]["S"]) if "RunPosition" in own else None,
            finished=own["FinishedRunBegan"]["S"] if "FinishedRunBegan" in own else None,
            product_codes={name: item["ProductCode"]["S"] for name, item in items.items()},
        )

    def write(self, position: Position | None, finished: str | None) -> None:
        """Store where an unfinished run goes on, and when the last finished one began."""
        values = {"RunPosition": json.dumps(position.write()) if position else None, "FinishedRunBegan": finished}
        with of_table(self._deadline):
            self._client.update_item(TableName=self._table, Key={NAME: {"S": _POSITION}}, **update(values))


def _read_position(written: str) -> Position | None:
    """Return a position; None for one of another release, after which the run begins again."""
    try:
        return Position.read(json.loads(written))
    except PositionInvalidError:
        return None
