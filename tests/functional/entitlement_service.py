"""AWS Marketplace's entitlement service on loopback: GetEntitlements with its filter and its pages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer


@dataclass
class EntitlementService:
    """Listens within a ``with`` block.

    Attributes:
        entitlements: those of each license; every page has one, and the first page of all is empty.
        errors: statuses and error codes for the next calls.
        requests: the bodies of the calls.
        authorizations: their signatures.
    """

    entitlements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def respond(self, target: str, authorization: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert target == "AWSMPEntitlementService.GetEntitlements"
        self.requests.append(request)
        self.authorizations.append(authorization)
        if self.errors:
            status, code = self.errors.pop(0)
            return status, {"__type": code, "message": "never logged"}
        (license_arn,) = request["Filter"]["LICENSE_ARN"]
        pages: list[list[dict[str, Any]]] = [[], *([each] for each in self.entitlements.get(license_arn, []))]
        number = int(request.get("NextToken", "0"))
        response: dict[str, Any] = {"Entitlements": pages[number]}
        if number + 1 < len(pages):
            response["NextToken"] = str(number + 1)
        return 200, response


class _Server(LoopbackServer):
    def __init__(self, service: EntitlementService) -> None:
        super().__init__(_Connection)
        self.service = service


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service = cast("_Server", self.server).service
        status, response = service.respond(self.headers["X-Amz-Target"], self.headers["Authorization"], body)
        content = json.dumps(response).encode()
        headers = f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(content)}\r\n\r\n"
        self.wfile.write(f"HTTP/1.1 {status} -\r\n{headers}".encode() + content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's own name
        pass
