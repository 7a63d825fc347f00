"""The handler that one would write first for AWS Marketplace's license events. The subscriber is compared with it."""

import json
import os
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer

STATUSES = {
    "License Updated - Manufacturer": "ACTIVE",
    "License Deprovisioned - Manufacturer": "DEPROVISIONED",
}

dynamodb = boto3.client("dynamodb")
marketplace = boto3.client("marketplace-entitlement", region_name=os.environ["ENTITLEMENTS_REGION"])
serialize = TypeSerializer().serialize


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the status and the entitlements of each license, and tell the queue which messages failed."""
    failed = []
    for message in batch["Records"]:
        try:
            store(json.loads(message["body"]))
        except Exception as error:  # noqa: BLE001 - one message must not fail the others
            print(error)
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def store(event: dict[str, Any]) -> None:
    """Store what an event says of a license, unless a later one was stored."""
    status, at, detail = STATUSES.get(event["detail-type"]), event["time"], event["detail"]
    if status is None:
        return
    product_code, license_arn = detail["product"]["code"], detail["license"]["arn"]
    item: Any = {
        "TableName": os.environ["REGISTRATIONS_TABLE"],
        "Key": {
            "CustomerAWSAccountId": {"S": detail["acceptor"]["accountId"]},
            "ProductLicense": {"S": f"{product_code}#{license_arn}"},
        },
    }
    try:
        dynamodb.update_item(
            **item,
            UpdateExpression="SET LicenseStatus = :status, LicenseStatusAt = :at",
            ConditionExpression="attribute_not_exists(LicenseStatusAt) OR LicenseStatusAt <= :at",
            ExpressionAttributeValues={":status": {"S": status}, ":at": {"S": at}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return
    if status != "ACTIVE":
        return
    pages = marketplace.get_paginator("get_entitlements").paginate(
        ProductCode=product_code, Filter={"LICENSE_ARN": [license_arn]}
    )
    entitlements = [
        {
            "Dimension": entitlement["Dimension"],
            "Value": entitlement["Value"],
            "ExpirationDate": entitlement["ExpirationDate"].isoformat(),
        }
        for page in pages
        for entitlement in page["Entitlements"]
    ]
    dynamodb.update_item(
        **item,
        UpdateExpression="SET Entitlements = :entitlements",
        ConditionExpression="LicenseStatusAt = :at",
        ExpressionAttributeValues={":entitlements": serialize(entitlements), ":at": {"S": at}},
    )
