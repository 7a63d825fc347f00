"""The handler that one would write first: two clients, one call, one write. The resolver is compared with it."""

import base64
import os
from typing import Any
from urllib.parse import parse_qs, urlencode

import boto3

marketplace = boto3.client("meteringmarketplace", region_name=os.environ["MARKETPLACE_REGION"])
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Redeem the buyer's token, store the buyer, redirect to the landing page."""
    form = parse_qs(base64.b64decode(event["body"]).decode())
    customer = marketplace.resolve_customer(RegistrationToken=form["x-amzn-marketplace-token"][0])
    dynamodb.put_item(
        TableName=os.environ["REGISTRATIONS_TABLE"],
        Item={
            "CustomerAWSAccountId": {"S": customer["CustomerAWSAccountId"]},
            "ProductCode": {"S": customer["ProductCode"]},
        },
    )
    query = urlencode({"customer": customer["CustomerAWSAccountId"]})
    return {"statusCode": 303, "headers": {"Location": f"https://app.example.com/signup?{query}"}}
