"""A server in a separate process, so that it does not use its callers' CPU time."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from socketserver import TCPServer


@contextmanager
def server_process(make: Callable[..., TCPServer], *arguments: object) -> Iterator[int]:
    """Run a server until the end of the ``with`` block, and yield its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, make: Callable[..., TCPServer], arguments: tuple[object, ...]) -> None:
    server = make(*arguments)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.server_address[1])
    with suppress(EOFError):
        pipe.recv()
