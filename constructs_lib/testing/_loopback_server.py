"""A server on loopback that stops when it is told to, whatever its clients do."""

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any


class LoopbackServer(ThreadingTCPServer):
    """Answers each connection in a thread of its own, on 127.0.0.1.

    Not an HTTPServer, which looks its own name up in DNS before it listens.

    Args:
        handler: What answers.
        port: Where it listens; 0 for any that is free.

    Attributes:
        stopping: Set when `stop` is called, for answers that wait.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Hang up on everybody, and return when every thread has ended."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        # A kept-alive connection would be served on, and its thread wait for the client to hang up.
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread that `stop` can wait for."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        super().shutdown_request(request)
        with self._lock:
            self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the overridden method's own
        """Let errors be seen, but for those of a client that hung up."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            raise error
