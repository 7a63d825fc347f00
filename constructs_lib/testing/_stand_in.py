"""The parts that every stand-in has: the server, its faults, and the reading of a signature."""

import re
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key_id>[^/,\s]+)/\d{8}/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request,\s*SignedHeaders=[^,\s]+,\s*Signature=[0-9a-f]{64}",
    re.ASCII,
)


def signature(authorization: str | None) -> re.Match[str] | None:
    """Return the parts of an ``Authorization`` header of SigV4, or None if it is none."""
    return _AUTHORIZATION.fullmatch(authorization or "")


@dataclass(frozen=True, kw_only=True)
class Response:
    """What the server sends, and how.

    Attributes:
        body: The body.
        content_type: Of the body.
        status: The HTTP status.
        headers: Further headers.
        outcome: How the stand-in records it.
        delay: Seconds to wait before it is sent.
        closes_connection: Whether the connection is closed instead.
    """

    body: bytes = b""
    content_type: str
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None
    delay: float = 0
    closes_connection: bool = False


class Faults:
    """Faults for the next calls of an operation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: deque[Callable[[Callable[[], Response]], Response]] = deque()

    def close_connection(self, times: int = 1) -> None:
        """Close the connection without a response, as when the response is lost.

        Args:
            times: To how many calls.
        """
        self._inject(lambda respond: replace(respond(), closes_connection=True), times)

    def slow_down(self, seconds: float, times: int = 1) -> None:
        """Respond correctly but late.

        Args:
            seconds: How late.
            times: To how many calls.
        """
        self._inject(lambda respond: replace(respond(), delay=seconds), times)

    def clear_faults(self) -> None:
        """Remove the injected faults that no call has used yet."""
        with self._lock:
            self._faults.clear()

    def _inject(self, fault: Callable[[Callable[[], Response]], Response], times: int) -> None:
        with self._lock:
            self._faults.extend([fault] * times)

    def _with_fault(self, respond: Callable[[], Response]) -> Response:
        """Respond, with the next fault if there is one."""
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
        return fault(respond) if fault else respond()


class StandIn(Faults, ABC):
    """A server on loopback that runs within a ``with`` block, and whose responses may be faulty."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._server: _Server | None = None
        self._entered = 0

    def __enter__(self) -> Self:
        """Start listening; within another ``with`` block of the same stand-in, go on.

        Returns:
            The stand-in itself.
        """
        with self._lock:
            if not self._entered:
                self._server = _Server(self._port, self._respond)
                self._server.start()
            self._entered += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop at once at the end of the outermost block, even during a call."""
        with self._lock:
            self._entered -= 1
            server = None if self._entered else self._server
            if server is not None:
                self._server = None
        if server is not None:
            server.stop()

    def _base_url(self) -> str:
        server = self._server
        if server is None:
            raise RuntimeError("the stand-in has no URL outside its with block")
        return f"http://127.0.0.1:{server.server_address[1]}"

    @abstractmethod
    def _respond(self, method: str, path: str, headers: Message, body: bytes) -> Response:
        """Respond to a request."""


class _Server(LoopbackServer):
    def __init__(self, port: int, respond: Callable[[str, str, Message, bytes], Response]) -> None:
        super().__init__(_Handler, port)
        self.respond = respond


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(self._stand_in.respond("GET", self._path, self.headers, b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            # It is unknown where the next request begins.
            self.close_connection = True
            length = "0"
        self._send(self._stand_in.respond("POST", self._path, self.headers, self.rfile.read(int(length))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    @property
    def _stand_in(self) -> _Server:
        return cast("_Server", self.server)

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _send(self, response: Response) -> None:
        if response.closes_connection or (response.delay and self._stand_in.stopping.wait(response.delay)):
            self.close_connection = True
            return
        headers = dict(response.headers)
        if response.status is not HTTPStatus.NO_CONTENT:
            headers |= {"Content-Type": response.content_type, "Content-Length": str(len(response.body))}
        if self.close_connection:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # One write, one packet: a separate body would wait for the acknowledgment of the head.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + response.body)
