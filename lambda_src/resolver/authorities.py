"""The certificate authorities that connections are checked against."""

from __future__ import annotations

import functools
import ssl

from botocore import httpsession


def read_authorities_once() -> None:
    """Let all clients of this process that are made from now on share what is read of the authorities' file.

    urllib3 gives each new connection the file to read, all 150 certificates of it: 15 ms of CPU, two or three times in
    a cold start and as often after every pause that is long enough for the connections to be closed. A context that
    remembers which file it has read makes it once. It is Python's own for clients, which checks certificate and host
    name, and botocore takes it from where it makes its contexts; were that place to move, botocore would go on with
    its own.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Ignored: mypy does not know that what is cached can be called as before.
    context.load_verify_locations = functools.cache(context.load_verify_locations)  # type: ignore[assignment]
    httpsession.create_urllib3_context = lambda *_args, **_options: context
