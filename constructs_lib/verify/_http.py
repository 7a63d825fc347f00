"""HTTPS requests as they are, not repeated: what a response is, is the question here."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials

_SECONDS = 35
"""The 30 seconds of an HTTP API, and a little more."""


class Response(NamedTuple):
    """A whole response."""

    status: int
    body: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def outcome(self) -> str:
        """The outcome that the resolver names, or nothing."""
        return str(self.json.get("outcome", ""))

    def __str__(self) -> str:
        """Return both, short."""
        return f"{self.status} {self.outcome or repr(self.body[:80])}"


class Http:
    """Sends requests.

    Args:
        ca_bundle: path of the certificates to trust, or None for the machine's own.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._context = ssl.create_default_context(cafile=ca_bundle)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        connect_to: str | None = None,
    ) -> Response:
        """Send one request.

        Args:
            method: of HTTP.
            url: with https.
            headers: of the request.
            body: of the request.
            connect_to: a host to send it to instead, such as one that the URL's name does not lead to yet.

        Raises:
            OSError: there was no response.
            http.client.HTTPException: it was none of HTTP.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._context)
        if connect_to:
            plain = socket.create_connection((connect_to, port), timeout=_SECONDS)
            connection.sock = self._context.wrap_socket(plain, server_hostname=host)
        try:
            connection.request(method, parts.path, body or None, dict(headers or {}))
            response = connection.getresponse()
            return Response(response.status, response.read().decode(errors="replace"))
        finally:
            connection.close()


def signed(url: str, body: bytes, *, credentials: Credentials, region: str) -> dict[str, str]:
    """Return the headers of a POST of JSON to an API with IAM authorization."""
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    return dict(request.headers.items())
