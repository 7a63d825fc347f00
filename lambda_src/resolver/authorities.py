"""The certificate authorities that connections are checked against."""

from __future__ import annotations

import functools

from botocore import httpsession


def read_authorities_once() -> None:
    """Let all clients that are made from now on read the authorities' file once between them.

    urllib3 gives each new connection the file to read, all 150 certificates of it: 15 ms of CPU, two or three times in
    a cold start and as often after every pause that is long enough for the connections to be closed. Here they get one
    context of botocore's own making, which remembers the files that it has read. Were the function that makes it to go
    from botocore, each would read as before.
    """
    create_context = getattr(httpsession, "create_urllib3_context", None)
    if create_context is None:
        return
    context = create_context()
    context.load_verify_locations = functools.cache(context.load_verify_locations)
    httpsession.create_urllib3_context = lambda *_args, **_options: context
