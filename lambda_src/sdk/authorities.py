"""The certificate authorities that connections are verified against."""

from __future__ import annotations

import functools

from botocore import httpsession


def read_authorities_once() -> None:
    """Let all clients created from now on share one reading of the file of certificate authorities.

    urllib3 makes each new connection read the file, all 150 certificates of it: 15 ms of CPU, two or three times in a
    cold start and as often after every pause that is long enough for the connections to be closed. Here they share one
    context of botocore's own making, which remembers the files that it has read. If botocore ever drops the function
    that makes it, every client simply reads the file itself, as before.
    """
    create_context = getattr(httpsession, "create_urllib3_context", None)
    if create_context is None:
        return
    context = create_context()
    context.load_verify_locations = functools.cache(context.load_verify_locations)
    httpsession.create_urllib3_context = lambda *_args, **_options: context
