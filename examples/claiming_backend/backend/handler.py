"""The product's backend: claims the registration with the code that came to the landing page.

The landing page sends the registration code in the body of a POST, ``{"registration_code": "…"}``, through a function
URL or an HTTP API. The backend needs only the standard library and the runtime's botocore.
"""

from __future__ import annotations

import json
import os
import uuid
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTEMPTS = 2
_TIMEOUT_SECONDS = 10


class ClaimRejectedError(Exception):
    """The registration code is unknown, used or expired: the buyer must start again from AWS Marketplace."""


class ClaimUnavailableError(Exception):
    """The claim URL did not respond; the registration code stays valid until it expires."""


def claim(claim_url: str, registration_code: str, *, credentials: Credentials, region: str) -> dict[str, str]:
    """Claim the registration, once.

    Args:
        claim_url: the construct's ``claim_url``.
        registration_code: as the landing page received it; never log it.
        credentials: of a principal that ``grant_claim`` was called with.
        region: the API's.

    Returns:
        The registration: ``CustomerAWSAccountId``, ``ProductCode``, and the other members that Marketplace returned.

    Raises:
        ClaimRejectedError: the registration code is unknown, used or expired.
        ClaimUnavailableError: no response in time, or a temporary error.
        HTTPError: any other error, such as 403 without ``grant_claim``.
    """
    # The same for each attempt: if a response is lost, the retry gets it again, and no other claimant does.
    idempotency_key = str(uuid.uuid4())
    body = json.dumps({"registration_code": registration_code}).encode()
    for _ in range(_ATTEMPTS):
        signed = AWSRequest(
            "POST",
            claim_url,
            data=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": idempotency_key},
        )
        SigV4Auth(credentials, "execute-api", region).add_auth(signed)
        request = Request(claim_url, data=body, headers=dict(signed.headers), method="POST")  # noqa: S310 - ours
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the construct's own URL
                registration: dict[str, str] = json.load(response)
                return registration
        except HTTPError as error:
            error.close()
            if error.code == HTTPStatus.NOT_FOUND:
                raise ClaimRejectedError from None
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
        except (OSError, HTTPException):  # no connection, no response in time, or a truncated one
            continue
    raise ClaimUnavailableError


def handler(event: Mapping[str, Any], context: object) -> dict[str, object]:  # noqa: ARG001 - Lambda passes both
    """Sign a buyer up.

    Args:
        event: an HTTP request, payload format 2.0.
        context: Lambda's.
    """
    credentials = Credentials(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]
    )
    code = json.loads(event["body"])["registration_code"]
    try:
        registration = claim(os.environ["CLAIM_URL"], code, credentials=credentials, region=os.environ["AWS_REGION"])
    except ClaimRejectedError:
        return _response(HTTPStatus.NOT_FOUND, "Go back to AWS Marketplace and press “Set up your account” again.")
    except ClaimUnavailableError:
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
