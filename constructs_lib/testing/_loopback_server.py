"""A server on loopback that stops at once, whatever its clients do."""

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any


class LoopbackServer(ThreadingTCPServer):
    """Handles each connection in its own thread, on 127.0.0.1.

    Not an HTTPServer, which looks its own name up in DNS before it listens.

    Args:
        handler: Handles the requests.
        port: Port to listen on; 0 chooses a free one.

    Attributes:
        stopping: Set when `stop` is called, for delayed responses.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}

    def start(self) -> None:
        """Start serving."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close every connection, and return when all threads have ended."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        # Otherwise the thread of a kept-alive connection would wait for its client to close it.
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection in a thread that `stop` can wait for."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Remove a connection that has ended."""
        super().shutdown_request(request)
        with self._lock:
            self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the overridden method's own
        """Report every error, except a client that closed its connection."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            raise error
