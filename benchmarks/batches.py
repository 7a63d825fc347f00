"""The events that the functions are measured with, as Lambda gives them: what a new subscription makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from constructs_lib.testing._marketplace_events import Agreement, marketplace_event
from local.product import PRODUCT_CODE

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_TABLE_ARN = "arn:aws:dynamodb:eu-west-1:444455556666:table/registrations"


def queue_batch(size: int) -> dict[str, Any]:
    """Return messages of SQS: License Updated, each of another buyer."""
    return {"Records": [_message(number) for number in range(size)]}


def stream_batch(size: int) -> dict[str, Any]:
    """Return records of the registrations table's stream: the license of a registered buyer became active."""
    return {"Records": [_record(number) for number in range(size)]}


def _message(number: int) -> dict[str, Any]:
    agreement = Agreement(
        agreement_id=_agreement_id(number),
        initial_agreement_id=_agreement_id(number),
        accepted_at=_AT,
        starts_at=_AT,
        ends_at=_AT + timedelta(days=365),
        offer_id="offer-0123456789abc",
        product_code=PRODUCT_CODE,
        license_arn=_license_arn(number),
        buyer=_buyer(number),
        seller="444455556666",
    )
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-{number:012}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": json.dumps(marketplace_event("License Updated - Manufacturer", agreement, _AT)),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767225600000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:444455556666:events",
        "awsRegion": "eu-west-1",
    }


def _record(number: int) -> dict[str, Any]:
    key = {
        "CustomerAWSAccountId": {"S": _buyer(number)},
        "ProductLicense": {"S": f"{PRODUCT_CODE}#{_license_arn(number)}"},
    }
    registered = {
        **key,
        "ProductCode": {"S": PRODUCT_CODE},
        "LicenseArn": {"S": _license_arn(number)},
        "AgreementId": {"S": _agreement_id(number)},
        "RegisteredAt": {"S": "2026-01-01T00:00:00.000000+00:00"},
        "LastRegisteredAt": {"S": "2026-01-01T00:00:00.000000+00:00"},
    }
    ready = {
        **registered,
        "LicenseStatus": {"S": "ACTIVE"},
        "LicenseStatusAt": {"S": "2026-01-01T00:00:00Z"},
        "LicenseAgreementId": {"S": _agreement_id(number)},
        "ProductId": {"S": "prod-0123456789abc"},
    }
    return {
        "eventID": f"{number:032x}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "eventSourceARN": f"{_TABLE_ARN}/stream/2026-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767225600,
            "Keys": key,
            "OldImage": registered,
            "NewImage": ready,
            "SequenceNumber": f"{number:021}",
            "SizeBytes": 900,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def _buyer(number: int) -> str:
    return f"{111122220000 + number}"


def _license_arn(number: int) -> str:
    return f"arn:aws:license-manager::{_buyer(number)}:license:l-{number:032x}"


def _agreement_id(number: int) -> str:
    return f"agmt-{number:024}"
