"""Reading of a record of the registrations table's stream, with old and new images.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from publisher.publications import Change
from sdk.items import read_item
from sdk.registrations import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    Record = Mapping[str, Any]


def read_change(record: Record) -> Change:
    """Return the change that a record tells of; attributes of others, and of other types, are left out."""
    images = record["dynamodb"]
    key = images["Keys"]
    old, new = (images.get(name) for name in ("OldImage", "NewImage"))
    return Change(
        record_id=record["eventID"],
        account=key[PARTITION_KEY]["S"],
        sort_key=key[SORT_KEY]["S"],
        old=old and read_item(old),
        new=new and read_item(new),
    )


def sequence_number(record: Record) -> str:
    """Return what a partial batch response names the record by."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def table_arn(record: Record) -> str:
    """Return the ARN of the table that the record is of."""
    arn: str = record["eventSourceARN"]
    return arn.partition("/stream/")[0]
