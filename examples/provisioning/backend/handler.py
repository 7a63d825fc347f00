"""Gives and takes access as the events of the subscriptions say, in any order and any number of times."""

from __future__ import annotations

import json
import os
import traceback
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

# A Changed may come before its Ready, and says the same about access.
_ACCESS = {"Subscription Ready": True, "Subscription Changed": True, "Subscription Ended": False}


def apply(event: Mapping[str, Any], *, table: Any) -> bool:
    """Give or take access, unless a later event was applied, and tell which it was.

    The revision and the access change in one write: had they two, a worker that ends in between would leave them apart.

    Args:
        event: an event of the subscriptions.
        table: boto3's table of accesses.

    Returns:
        whether the event was applied.
    """
    registration, revision = event["detail"]["registration"], event["detail"]["revision"]
    of = registration.get("LicenseArn") or registration["ProductCode"]
    try:
        table.update_item(
            Key={"Subscription": f"{registration['CustomerAWSAccountId']}#{of}"},
            UpdateExpression="SET HasAccess = :access, Entitlements = :entitlements, Revision = :revision",
            ConditionExpression="attribute_not_exists(Revision) OR Revision <= :revision",
            ExpressionAttributeValues={
                ":access": _ACCESS[event["detail-type"]],
                # As text, because boto3 rejects a float.
                ":entitlements": json.dumps(registration.get("Entitlements", [])),
                ":revision": revision,
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda gives both
    """Apply the events of the queue.

    Args:
        event: messages of the queue.
        context: Lambda's.

    Returns:
        the messages to repeat.
    """
    table = boto3.resource("dynamodb").Table(os.environ["ACCESSES_TABLE"])
    failures = []
    for message in event["Records"]:
        try:
            apply(json.loads(message["body"]), table=table)
        except Exception:  # noqa: BLE001 - whatever it is, the other messages are not repeated for it
            traceback.print_exc()
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}
