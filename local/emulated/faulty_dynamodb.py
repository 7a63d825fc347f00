"""A DynamoDB that fails when it is told to, or at random: a proxy on loopback in front of one that does not."""

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
# A proxy's own business (RFC 9110), or written anew.
_NOT_PASSED_ON = frozenset(
    {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}
)


class Fault(Enum):
    """What can become of a call."""

    THROUGHPUT_EXCEEDED = auto()
    THROTTLED = auto()
    SERVER_ERROR = auto()
    ACCESS_DENIED = auto()
    TABLE_MISSING = auto()
    CLOSED = auto()
    """The connection closes and nothing is done."""
    ANSWER_LOST = auto()
    """All is done, and the connection closes instead of an answer."""
    ANSWER_CUT_OFF = auto()
    """All is done, and the connection closes in the middle of the answer."""
    SLOW = auto()
    """All is done, and the answer takes longer than any caller waits."""


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
    """Run a DynamoDB that does not fail beside this process, for tests with calls by the ten thousand."""
    with server_process(_dynamodb) as port:
        yield f"http://127.0.0.1:{port}"


def _dynamodb() -> TCPServer:
    # Only the process that serves needs them; they take most of a second.
    from moto.moto_server.werkzeug_app import create_backend_app  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return make_server("127.0.0.1", 0, create_backend_app("dynamodb"))


class _Planned(NamedTuple):
    fault: Fault
    operation: str | None
    table: str | None


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: int | None = None
    """How much of the body is sent before the connection closes, None for all of it."""


class FaultyDynamoDB:
    """A proxy that listens within a ``with`` block.

    Calls are passed on one at a time. DynamoDB makes each write to an item whole before the next; moto checks a
    condition and then writes, and two threads can both find the condition true.

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
        """How many calls came, by operation."""
        self.injected: Counter[Fault] = Counter()
        """How many of them met a fault."""

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
        """Let the next ``times`` calls, of one operation and on one table if given, meet a fault."""
        with self._lock:
            self._planned.extend([_Planned(fault, operation, table)] * times)

    def inject_at_random(self, probability: float, faults: Sequence[Fault], random: random.Random) -> None:
        """Let calls meet one of the faults with a probability, from now on."""
        with self._lock:
            self._probability, self._faults, self._random = probability, faults, random

    def clear_faults(self) -> None:
        """Fail no more."""
        with self._lock:
            self._planned.clear()
            self._probability = 0.0

    def answer(self, headers: Message, body: bytes, upstream: HTTPConnection) -> _Answer | None:
        """Return what the caller gets, or None where the connection closes."""
        fault = self._next_fault(headers["X-Amz-Target"].partition(".")[2], body)
        if fault is Fault.CLOSED:
            return None
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            error = {"__type": code, "message": "as was planned"}
            return _Answer(
                status, {"Content-Type": _JSON, "x-amzn-RequestId": str(uuid.uuid4())}, json.dumps(error).encode()
            )
        with self._one_at_a_time:
            upstream.request("POST", "/", body, _passed_on(headers))
            response = upstream.getresponse()
            answer = _Answer(response.status, _passed_on(response.headers), response.read())
        if fault is Fault.ANSWER_LOST:
            return None
        if fault is Fault.ANSWER_CUT_OFF:
            return answer._replace(sent=len(answer.body) // 2)
        if fault is Fault.SLOW:
            # Longer than any caller waits; the end of the test ends it.
            cast("_Server", self._server).stopping.wait()
            return None
        return answer

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


def _passed_on(headers: Message) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}


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
        answer = self._proxy.answer(self.headers, body, self._upstream)
        if answer is None:
            self.close_connection = True
            return
        head = f"HTTP/1.1 {answer.status} -\r\nContent-Length: {len(answer.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        # One write, one packet: a head and a body apart wait for each other's acknowledgement.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + answer.body[: answer.sent])
        self.close_connection = answer.sent is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
