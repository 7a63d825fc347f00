"""The product's backend as a Lambda function: claims the registration with the code that came to the landing page.

The landing page sends the registration code in the body of a POST, ``{"registration_code": "…"}``, through a function
URL or an HTTP API.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from constructs_lib.claims import ClaimClient, ClaimError, ClaimRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

# One for all requests of an execution environment: it reuses connections.
claims = ClaimClient(os.environ["CLAIM_URL"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, object]:  # noqa: ARG001 - Lambda passes both
    """Sign a buyer up.

    Args:
        event: an HTTP request, payload format 2.0.
        context: Lambda's.
    """
    try:
        registration = claims.claim(json.loads(event["body"])["registration_code"])
    except ClaimRejectedError:
        return _response(HTTPStatus.NOT_FOUND, "Go back to AWS Marketplace and press “Set up your account” again.")
    except ClaimError as error:
        # The text has the status and the reference, and never the registration code.
        print(f"{type(error).__name__}: {error}")
        return _response(HTTPStatus.SERVICE_UNAVAILABLE, "Please try again in a few seconds.")
    # Here the product makes the buyer's account, for this license, and without access before the License Updated event.
    account = registration["CustomerAWSAccountId"]
    return _response(
        HTTPStatus.OK, f"Welcome, AWS account {account}. AWS Marketplace will soon confirm your subscription."
    )


def _response(status: HTTPStatus, message: str) -> dict[str, object]:
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps({"message": message}),
    }
