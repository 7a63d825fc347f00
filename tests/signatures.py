"""Checks of SigV4 signatures, by the SDK's own arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials


def signed_headers(headers: Mapping[str, str]) -> set[str]:
    """Return the names, in lower case, that the signature covers."""
    return {*headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")}


def is_valid(
    headers: Mapping[str, str], *, method: str, url: str, body: bytes, credentials: Credentials, region: str
) -> bool:
    """Tell whether the signature is that of the request; the names of the headers are in lower case."""
    signed = {name: headers[name] for name in signed_headers(headers)}
    request = AWSRequest(method, url, data=body, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(credentials, "execute-api", region)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return headers["authorization"].endswith(f"Signature={signature}")
