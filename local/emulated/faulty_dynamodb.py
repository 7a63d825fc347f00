"""A DynamoDB that fails on demand or at random: a proxy on loopback in front of one that does not fail."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections import Counter, deque
from contextlib import contextmanager
from enum import Enum, auto
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NamedTuple, Self, cast
from urllib.parse import urlsplit

from constructs_lib.testing._loopback_server import LoopbackServer
from local.emulated.server_process import server_process

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import Message
    from socketserver import TCPServer

_JSON = "application/x-amz-json-1.0"
# Hop-by-hop headers (RFC 9110), and those that the proxy or its HTTP library sets itself.
_NOT_FORWARDED = frozenset(
    {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}
)


class Fault(Enum):
    """A way in which a call can fail."""

    THROUGHPUT_EXCEEDED = auto()
    THROTTLED = auto()
    SERVER_ERROR = auto()
    ACCESS_DENIED = auto()
    TABLE_MISSING = auto()
    CLOSED = auto()
    """The connection closes before the call takes effect."""
    ANSWER_LOST = auto()
    """The call takes effect, and the connection closes instead of a response."""
    ANSWER_CUT_OFF = auto()
    """The call takes effect, and the connection closes in the middle of the response."""
    SLOW = auto()
    """The call takes effect, and the response takes longer than any caller waits."""


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_ERRORS = {
    Fault.THROUGHPUT_EXCEEDED: (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    Fault.THROTTLED: (400, "com.amazon.coral.availability#ThrottlingException"),
    Fault.SERVER_ERROR: (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
    Fault.ACCESS_DENIED: (400, "com.amazon.coral.service#AccessDeniedException"),
    Fault.TABLE_MISSING: (400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"),
}


@contextmanager
def dynamodb_process() -> Iterator[str]:
    """Run a DynamoDB that does not fail in a separate process, for tests with tens of thousands of calls."""
    with server_process(_dynamodb) as port:
        yield f"http://127.0.0.1:{port}"


def _dynamodb() -> TCPServer:
    # Only the serving process needs these imports, which take most of a second.
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # With the streams of the tables, which are another service.
    return make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))


class _Planned(NamedTuple):
    fault: Fault
    operation: str | None
    table: str | None


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: int | None = None
    """Bytes of the body that are sent before the connection closes, None for all of them."""


class FaultyDynamoDB:
    """A proxy that listens within a ``with`` block.

    It forwards one call at a time. DynamoDB serializes the writes to an item; moto checks a condition and then writes,
    so two threads could both find the condition true.

    Args:
        url: the DynamoDB that does not fail.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._planned: deque[_Planned] = deque()
        self._probability = 0.0
        self._faults: Sequence[Fault] = ()
        self._random: random.Random | None = None
        self._one_at_a_time = threading.Lock()
        self._server: _Server | None = None
        self.calls: Counter[str] = Counter()
        """Number of calls, by operation."""
        self.injected: Counter[Fault] = Counter()
        """Number of injected faults that calls met."""

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def endpoint_url(self) -> str:
        """Where the proxy listens."""
        assert self._server is not None, "only within its with block"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def inject(self, fault: Fault, *, times: int = 1, operation: str | None = None, table: str | None = None) -> None:
        """Make the next ``times`` calls fail, of one operation and on one table if given."""
        with self._lock:
            self._planned.extend([_Planned(fault, operation, table)] * times)

    def inject_at_random(self, probability: float, faults: Sequence[Fault], random: random.Random) -> None:
        """Make each call from now on fail with a probability, with one of the faults."""
        with self._lock:
            self._probability, self._faults, self._random = probability, faults, random

    def clear_faults(self) -> None:
        """Stop failing."""
        with self._lock:
            self._planned.clear()
            self._probability = 0.0

    def respond(self, headers: Message, body: bytes, upstream: HTTPConnection) -> _Response | None:
        """Return the response, or None if the connection closes instead."""
        fault = self._next_fault(headers["X-Amz-Target"].partition(".")[2], body)
        if fault is Fault.CLOSED:
            return None
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            error = {"__type": code, "message": "injected fault"}
            return _Response(
                status, {"Content-Type": _JSON, "x-amzn-RequestId": str(uuid.uuid4())}, json.dumps(error).encode()
            )
        with self._one_at_a_time:
            upstream.request("POST", "/", body, _forwarded(headers))
            received = upstream.getresponse()
            response = _Response(received.status, _forwarded(received.headers), received.read())
        if fault is Fault.ANSWER_LOST:
            return None
        if fault is Fault.ANSWER_CUT_OFF:
            return response._replace(sent=len(response.body) // 2)
        if fault is Fault.SLOW:
            # Longer than any caller waits: until the test ends.
            cast("_Server", self._server).stopping.wait()
            return None
        return response

    def upstream(self) -> HTTPConnection:
        """Return a new connection to the DynamoDB behind the proxy."""
        return HTTPConnection(urlsplit(self._url).netloc, timeout=10)

    def _next_fault(self, operation: str, body: bytes) -> Fault | None:
        with self._lock:
            self.calls[operation] += 1
            fault = self._planned_fault(operation, body)
            if fault is None and self._random is not None and self._random.random() < self._probability:
                fault = self._random.choice(self._faults)
            if fault is not None:
                self.injected[fault] += 1
            return fault

    def _planned_fault(self, operation: str, body: bytes) -> Fault | None:
        if not self._planned:
            return None
        table = json.loads(body)["TableName"]
        for planned in self._planned:
            if planned.operation in {None, operation} and planned.table in {None, table}:
                self._planned.remove(planned)
                return planned.fault
        return None


def _forwarded(headers: Message) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_FORWARDED}


class _Server(LoopbackServer):
    def __init__(self, proxy: FaultyDynamoDB) -> None:
        super().__init__(_Connection)
        self.proxy = proxy


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._proxy = cast("_Server", self.server).proxy
        self._upstream = self._proxy.upstream()

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        response = self._proxy.respond(self.headers, body, self._upstream)
        if response is None:
            self.close_connection = True
            return
        head = f"HTTP/1.1 {response.status} -\r\nContent-Length: {len(response.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        # One write, one packet: a separate body would wait until the head is acknowledged.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + response.body[: response.sent])
        self.close_connection = response.sent is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
