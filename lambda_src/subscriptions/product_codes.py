"""The adapter of the table in which the product code of each product ID is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subscriptions.calls import of_table, update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sdk.deadline import Deadline

NAME = "Name"
"""The key: a product ID, or a name of the reconciliation's own."""


class DynamoDBProductCodes:
    """Keeps product codes in the reconciliation's table.

    Args:
        client: boto3's ``dynamodb``.
        table: name or ARN of the reconciliation's table.
        deadline: bounds each call.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._deadline = deadline
        self._recorded: set[str] = set()

    def record(self, product_id: str, product_code: str) -> None:
        """Store which product code belongs to a product ID, once in the life of this object."""
        if product_id in self._recorded:
            return
        with of_table(self._deadline):
            self._client.update_item(
                TableName=self._table, Key={NAME: {"S": product_id}}, **update({"ProductCode": product_code})
            )
        self._recorded.add(product_id)
