"""A service on loopback that sends whatever bytes it is told to, as slowly as it is told to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One response.

    Attributes:
        body: as it is sent.
        status: of the response.
        headers: besides ``Content-Length``; one of that name replaces it.
        pause: seconds before each byte of the body.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0


@dataclass
class RawService:
    """Answers calls by operation: what is queued for it first, then always what it answers by default.

    Attributes:
        defaults: operation to its usual response.
        calls: the operations that were called.
    """

    defaults: Mapping[str, Raw]
    calls: list[str] = field(default_factory=list)
    _queued: dict[str, deque[Raw]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = _Server(self.answer)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def queue(self, operation: str, raw: Raw, *, times: int = 1) -> None:
        self._queued.setdefault(operation, deque()).extend([raw] * times)

    def always(self, operation: str, raw: Raw) -> None:
        self.defaults = {**self.defaults, operation: raw}

    def answer(self, operation: str) -> Raw:
        self.calls.append(operation)
        queued = self._queued.get(operation)
        return queued.popleft() if queued else self.defaults[operation]


class _Server(LoopbackServer):
    def __init__(self, answer: Callable[[str], Raw]) -> None:
        super().__init__(_Connection)
        self.answer = answer


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target")
        operation = target.rpartition(".")[2] if target else body.decode().partition("Action=")[2].partition("&")[0]
        server = cast("_Server", self.server)
        raw = server.answer(operation)
        headers = raw.headers
        if "Content-Length" not in dict(headers):
            headers = (*headers, ("Content-Length", str(len(raw.body))))
        head = f"HTTP/1.1 {raw.status} -\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        # A caller that waits for more than comes is to see the end of it.
        self.close_connection = "Content-Length" in dict(raw.headers)
        try:
            if raw.pause:
                self.wfile.write(head.encode())
                for byte in raw.body:
                    if server.stopping.wait(raw.pause):
                        return
                    self.wfile.write(bytes([byte]))
            else:
                self.wfile.write(head.encode() + raw.body)
        except ConnectionError:
            pass  # the caller has given up, as it should

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the overridden method's own name
        pass
