"""The handler that one would write first for a table's stream and an event bus. The publisher is compared with it."""

import json
import os
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

MAX_ENTRIES = 10
"""Of one call of PutEvents."""

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")
deserialize = TypeDeserializer().deserialize


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Tell the event bus of every license that became active or is so no more."""
    entries: list[Any] = []
    numbers = []
    for record in batch["Records"]:
        new, old = (read(record["dynamodb"].get(image)) for image in ("NewImage", "OldImage"))
        is_active, was_active = (item.get("LicenseStatus") == "ACTIVE" for item in (new, old))
        if is_active == was_active:
            continue
        entries.append(
            {
                "Source": "marketplace-registration",
                "DetailType": "Subscription Ready" if is_active else "Subscription Ended",
                "Resources": [record["eventSourceARN"].partition("/stream/")[0]],
                "Detail": json.dumps({"registration": new, "previous": old, "others": others(new or old)}, default=str),
                "EventBusName": os.environ["EVENT_BUS"],
            }
        )
        numbers.append(record["dynamodb"]["SequenceNumber"])
    for first in range(0, len(entries), MAX_ENTRIES):
        results = events.put_events(Entries=entries[first : first + MAX_ENTRIES])["Entries"]
        for number, result in zip(numbers[first:], results, strict=False):
            if "ErrorCode" in result:
                return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def others(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the buyer's items of the same product, of which one may be a registration without a license."""
    items = dynamodb.query(
        TableName=os.environ["REGISTRATIONS_TABLE"],
        KeyConditionExpression="CustomerAWSAccountId = :account AND begins_with(ProductLicense, :product)",
        ExpressionAttributeValues={
            ":account": {"S": item["CustomerAWSAccountId"]},
            ":product": {"S": f"{item['ProductCode']}#"},
        },
        ConsistentRead=True,
    )["Items"]
    return [read(other) for other in items if other["ProductLicense"]["S"] != item["ProductLicense"]]


def read(image: dict[str, Any] | None) -> dict[str, Any]:
    """Return an item as Python's types."""
    return {name: deserialize(value) for name, value in (image or {}).items()}
