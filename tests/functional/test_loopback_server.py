"""Which errors of a connection the server reports."""

import socket
import struct
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from queue import SimpleQueue
from typing import Any

import pytest

from constructs_lib.testing._loopback_server import LoopbackServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        raise RuntimeError("a bug")

    def do_POST(self) -> None:
        # Returns at the client's reset, with an error.
        self.rfile.read(1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(LoopbackServer):
    def __init__(self) -> None:
        super().__init__(Handler)
        self.errors: SimpleQueue[BaseException | None] = SimpleQueue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.errors.put(sys.exception())
        super().handle_error(request, client_address)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    reported: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: reported.append(arguments.exc_value))
    return reported


def connect(server: Server, method: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.server_address[1]))
    connection.sendall(f"{method} / HTTP/1.1\r\n\r\n".encode())
    return connection


def test_an_error_of_the_handler_is_reported(server: Server, reported: list[BaseException | None]) -> None:
    with connect(server, "GET"):
        error = server.errors.get(timeout=5)
    server.stop()

    assert isinstance(error, RuntimeError)
    assert reported == [error]


def test_a_reset_by_the_client_is_not_reported(server: Server, reported: list[BaseException | None]) -> None:
    with connect(server, "POST") as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    error = server.errors.get(timeout=5)
    server.stop()

    assert isinstance(error, ConnectionError)
    assert reported == []
