"""The adapter of DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from publisher.errors import TableUnavailableError
from sdk.errors import CallFailedError, one_kind_of_error
from sdk.items import query

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sdk.deadline import Deadline
    from sdk.registrations import Item


class DynamoDBPartitions:
    """Reads buyers' partitions of the registrations table.

    Args:
        client: boto3's ``dynamodb``.
        table: name or ARN of the registrations table.
        deadline: bounds each call.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._deadline = deadline

    def read(self, account: str, prefix: str = "") -> list[Item]:
        """Return the items of a buyer's partition whose keys begin with ``prefix``, as they are now."""
        try:
            with one_kind_of_error(self._deadline):
                return query(self._client, self._table, account, prefix)
        except CallFailedError as failure:
            raise TableUnavailableError(failure.reason) from None
