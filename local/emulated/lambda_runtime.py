"""Lambda on loopback: the Runtime API, with the real runtime client in a process of its own at the other end of it.

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

# What the client writes a log event as: type, length and time, then the event.
_FRAME = struct.Struct(">4sIQ")
_FRAME_MAGIC = b"\xa5\x5a"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What became of one event.

    Attributes:
        response: what the handler returned, None where it raised.
        error: what the client reported in place of a response; Lambda counts it in ``Errors``.
        log: the log events that the client wrote meanwhile, those of the start with the first.
        milliseconds: from the event's handing over to its answer, as Lambda's ``Duration`` is.
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
        printed: what is printed past the client goes there.
    """

    def __init__(
        self, asset: Path, *, handler: str, environment: Mapping[str, str], timeout: float, printed: Path
    ) -> None:
        self._asset = asset
        self._handler = handler
        self._environment = environment
        self._timeout = timeout
        self._printed = printed
        self._server = _Server()

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
        """Hand an event over and wait for what comes of it."""
        self._server.events.put(json.dumps(event).encode())
        try:
            answer = self._server.answers.get(timeout=self._timeout)
        except queue.Empty:
            raise TimeoutError(f"the runtime did not answer; it printed {self._printed.read_text()!r}") from None
        if answer.kind == "init":
            raise RuntimeError(f"the runtime did not start: {answer.body!r}")
        content = json.loads(answer.body)
        return Invocation(
            response=content if answer.kind == "response" else None,
            error=content if answer.kind == "error" else None,
            log=self._written(),
            milliseconds=answer.milliseconds,
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
        # The client writes an invocation's log before it answers, so all of it is in the pipe.
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
class _Answer:
    kind: str
    body: bytes
    milliseconds: float


class _Server(LoopbackServer):
    def __init__(self) -> None:
        super().__init__(_Connection)
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.answers: queue.Queue[_Answer] = queue.Queue()
        self.handed_over = 0.0

    def stop(self) -> None:
        # A client that was killed leaves a thread that waits for the next event.
        self.events.put(None)
        super().stop()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert self.path == f"{_PREFIX}invocation/next"
        event = self._lambda.events.get()
        if event is None:
            # For the other connections that may wait.
            self._lambda.events.put(None)
            self.close_connection = True
            return
        deadline = int((time.time() + 60) * 1000)
        self._lambda.handed_over = time.perf_counter()
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
        milliseconds = (time.perf_counter() - self._lambda.handed_over) * 1000
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, what, kind = self.path.removeprefix(_PREFIX).split("/")
        kind = "init" if what == "init" else kind
        assert kind in {"init", "response", "error"}
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})
        self._lambda.answers.put(_Answer(kind=kind, body=body, milliseconds=milliseconds))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    @property
    def _lambda(self) -> _Server:
        return cast("_Server", self.server)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(head.encode("latin-1") + b"\r\n" + body)
