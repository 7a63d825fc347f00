"""How a product's backend claims a registration; docs/claiming.md shows this function."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

if TYPE_CHECKING:
    import boto3
    import requests


def claim_registration(
    claim_url: str,
    registration_code: str,
    *,
    session: boto3.Session,
    http: requests.Session,
    idempotency_key: str | None = None,
) -> requests.Response:
    """Claim a registration by its registration code.

    Args:
        claim_url: the construct's ``claim_url``.
        registration_code: as the landing page received it.
        session: credentials with the permission from ``grant_claim``, and the API's region.
        http: sends the request.
        idempotency_key: the same for every retry of one claim; by default, a new one for each call.

    Raises:
        NoCredentialsError: the session has none.
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(
        "POST",
        claim_url,
        data=json.dumps({"registration_code": registration_code}),
        headers={
            "Content-Type": "application/json",
            # If the response is lost, a retry with the same key gets the registration; any other claimant gets 404.
            "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
        },
    )
    SigV4Auth(credentials, "execute-api", session.region_name).add_auth(request)
    return http.post(claim_url, data=request.body, headers=dict(request.headers), timeout=60)
