"""Lambda on loopback: the Runtime API, and the real runtime client in a process of its own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import struct
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import IO, TYPE_CHECKING, Any, Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYTHON = (3, 13)
"""The Python of the Lambda runtime that the functions ship for; a test compares it with the template."""

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:resolver"

_PREFIX = "/2018-06-01/runtime/"

# The header of a log event that the client writes: type, length and time.
_FRAME = struct.Struct(">4sIQ")
_FRAME_MAGIC = b"\xa5\x5a"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The result of one event.

    Attributes:
        response: the handler's return value, None if it raised.
        error: reported by the client instead of a response; Lambda counts it in ``Errors``.
        log: the log events written during the invocation; the first invocation's include those of the start-up.
        milliseconds: from the delivery of the event to its response, like Lambda's ``Duration``.
    """

    response: dict[str, Any] | None
    error: dict[str, Any] | None
    log: list[str]
    milliseconds: float


class LambdaRuntime:
    """One execution environment, from its start to the end of its ``with`` block.

    Args:
        asset: the function's code.
        handler: the function's handler.
        environment: the function's variables, and those that Lambda sets.
        timeout: seconds that an invocation may take.
        printed: a file for all output that bypasses the client.
    """

    def __init__(
        self, asset: Path, *, handler: str, environment: Mapping[str, str], timeout: float, printed: Path
    ) -> None:
        self._asset = asset
        self._handler = handler
        self._environment = environment
        self._timeout = timeout
        self._printed = printed
        self._server = _Server(timeout)

    def __enter__(self) -> Self:
        self._server.start()
        self._log, theirs = os.pipe()
        os.set_blocking(self._log, False)
        with self._printed.open("wb") as printed:
            self._process = self._start(theirs, printed)
        os.close(theirs)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()
        os.close(self._log)
        self._server.stop()

    @property
    def pid(self) -> int:
        """The process that the function runs in."""
        return self._process.pid

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Deliver an event and wait for its result."""
        self._server.events.put(json.dumps(event).encode())
        try:
            result = self._server.results.get(timeout=self._timeout)
        except queue.Empty:
            raise TimeoutError(f"the runtime did not respond; it printed {self._printed.read_text()!r}") from None
        if result.kind == "init":
            raise RuntimeError(f"the runtime did not start: {result.body!r}")
        content = json.loads(result.body)
        return Invocation(
            response=content if result.kind == "response" else None,
            error=content if result.kind == "error" else None,
            log=self._written(),
            milliseconds=result.milliseconds,
        )

    def _start(self, log: int, printed: IO[bytes]) -> subprocess.Popen[bytes]:
        host, port = self._server.server_address[:2]
        return subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self._handler],
            cwd=self._asset,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(self._asset),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LAMBDA_TASK_ROOT": str(self._asset),
                "AWS_LAMBDA_RUNTIME_API": f"{cast('str', host)}:{port}",
                "_LAMBDA_TELEMETRY_LOG_FD": str(log),
                "_HANDLER": self._handler,
                **self._environment,
            },
            pass_fds=[log],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )

    def _written(self) -> list[str]:
        # The client writes an invocation's log before its response, so all of it is in the pipe.
        written = b""
        while True:
            try:
                written += os.read(self._log, 65536)
            except BlockingIOError:
                break
        events = []
        while written:
            kind, length, _ = _FRAME.unpack_from(written)
            assert kind.startswith(_FRAME_MAGIC)
            event, written = written[_FRAME.size : _FRAME.size + length], written[_FRAME.size + length :]
            assert len(event) == length
            events.append(event.decode())
        return events


@dataclass(frozen=True, kw_only=True)
class _Result:
    kind: str
    body: bytes
    milliseconds: float


class _Server(LoopbackServer):
    def __init__(self, timeout: float) -> None:
        super().__init__(_Connection)
        self.seconds = timeout
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.results: queue.Queue[_Result] = queue.Queue()
        self.delivered = 0.0

    def stop(self) -> None:
        # A killed client leaves behind a thread that waits for the next event.
        self.events.put(None)
        super().stop()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert self.path == f"{_PREFIX}invocation/next"
        event = self._lambda.events.get()
        if event is None:
            # For other connections that may be waiting.
            self._lambda.events.put(None)
            self.close_connection = True
            return
        deadline = int((time.time() + self._lambda.seconds) * 1000)
        self._lambda.delivered = time.perf_counter()
        self._send(
            200,
            event,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            },
        )

    def do_POST(self) -> None:
        milliseconds = (time.perf_counter() - self._lambda.delivered) * 1000
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, what, kind = self.path.removeprefix(_PREFIX).split("/")
        kind = "init" if what == "init" else kind
        assert kind in {"init", "response", "error"}
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})
        self._lambda.results.put(_Result(kind=kind, body=body, milliseconds=milliseconds))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    @property
    def _lambda(self) -> _Server:
        return cast("_Server", self.server)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(head.encode("latin-1") + b"\r\n" + body)
