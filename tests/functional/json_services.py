"""Services on loopback that the subscriber and the publisher call: entitlements with filter and pages, an event bus."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer

if TYPE_CHECKING:
    import random

    Request = dict[str, Any]
    Response = tuple[int, dict[str, Any]]


class JsonService:
    """Listens within a ``with`` block, and responds to calls of AWS's JSON protocol."""

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def respond(self, target: str, authorization: str, request: Request) -> Response:
        raise NotImplementedError


@dataclass
class EntitlementService(JsonService):
    """AWS Marketplace's entitlement service.

    Attributes:
        entitlements: those of each license; every page has one, and the first page of all is empty.
        errors: statuses and error codes for the next calls.
        requests: the bodies of the calls.
        authorizations: their signatures.
        chance: decides whether a call fails, if given.
        failing: how probably.
    """

    entitlements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    chance: random.Random | None = None
    failing: float = 0

    def respond(self, target: str, authorization: str, request: Request) -> Response:
        assert target == "AWSMPEntitlementService.GetEntitlements"
        self.requests.append(request)
        self.authorizations.append(authorization)
        if self.errors:
            status, code = self.errors.pop(0)
            return status, {"__type": code, "message": "never logged"}
        if self.chance and self.chance.random() < self.failing:
            return self.chance.choice(
                [(400, {"__type": "ThrottlingException"}), (500, {"__type": "InternalServiceErrorException"})]
            )
        (license_arn,) = request["Filter"]["LICENSE_ARN"]
        pages: list[list[dict[str, Any]]] = [[], *([each] for each in self.entitlements.get(license_arn, []))]
        number = int(request.get("NextToken", "0"))
        response: dict[str, Any] = {"Entitlements": pages[number]}
        if number + 1 < len(pages):
            response["NextToken"] = str(number + 1)
        return 200, response


@dataclass
class FaultyEventBus(JsonService):
    """EventBridge's PutEvents, of which calls and single entries fail at random.

    Attributes:
        chance: decides.
        failing: how probably each call fails, and each entry of one that does not.
        accepted: the entries that were accepted, also those of calls whose response was lost.
        failed: the number of calls and entries that failed.
    """

    chance: random.Random
    failing: float
    accepted: list[dict[str, Any]] = field(default_factory=list)
    failed: int = 0

    def respond(self, target: str, authorization: str, request: Request) -> Response:
        del authorization
        assert target == "AWSEvents.PutEvents"
        if self.chance.random() < self.failing:
            self.failed += 1
            # Accepted, and the response was lost.
            if self.chance.random() < 0.5:
                self.accepted += request["Entries"]
            return 500, {"__type": "InternalException"}
        results = []
        for entry in request["Entries"]:
            if self.chance.random() < self.failing:
                self.failed += 1
                results.append({"ErrorCode": "ThrottlingException"})
            else:
                self.accepted.append(entry)
                results.append({"EventId": str(len(self.accepted))})
        return 200, {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


class _Server(LoopbackServer):
    def __init__(self, service: JsonService) -> None:
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
