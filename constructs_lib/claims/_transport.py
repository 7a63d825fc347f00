"""One signed attempt, bounded in time whatever the network does."""

from __future__ import annotations

import contextvars
import os
import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECT_SECONDS = 5
# Connections to keep; FastAPI and Starlette run that many endpoints in threads at once.
_CONNECTIONS = 40
_PIECE_BYTES = 64 * 1024


class Session(Protocol):
    """A session of boto3 or botocore."""

    def get_credentials(self) -> Any:
        """Return the credentials, or None."""


class Response(NamedTuple):
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponse(NamedTuple):
    """An attempt without a usable response; the reason is the name of an error."""

    reason: str


class NoCredentials(NamedTuple):
    """An attempt that could not be signed; the reason is the name of an error, or None if there are no credentials."""

    reason: str | None


Result = Response | NoResponse | NoCredentials


class Transport:
    """Sends signed requests to one URL over connections that are reused.

    Args:
        url: where to POST.
        region: of the signature.
        session: has the credentials.
        ca_bundle: path of the certificates to trust, or None for botocore's default.
        use_proxies: whether the environment's proxies apply.
        attempt_seconds: how long an attempt waits for each piece of a response.
    """

    def __init__(
        self,
        url: str,
        *,
        region: str,
        session: Session,
        ca_bundle: str | None,
        use_proxies: bool,
        attempt_seconds: float,
    ) -> None:
        self._url = url
        self._region = region
        self._session = session
        verify: Any = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True
        timeout: Any = (min(_CONNECT_SECONDS, attempt_seconds), attempt_seconds)
        self._http = URLLib3Session(
            verify=verify,
            proxies=get_environ_proxies(url) if use_proxies else None,
            timeout=timeout,
            max_pool_connections=_CONNECTIONS,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()

    def post(self, body: bytes, headers: Mapping[str, str], *, seconds: float) -> Result:
        """Sign and send a request, and return its result within ``seconds``.

        A sum of time limits is no bound: the read limit is for each piece that is received, the connect limit for each
        address, and neither covers DNS or a refresh of the credentials. So the attempt runs in a thread, and its result
        is not waited for any longer. The thread ends at its own limits, unless a server drips its head.

        Errors are returned as names: botocore's carry the request, with the idempotency key.
        """
        results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        attempt = partial(self._attempt, body, headers, deadline=time.monotonic() + seconds)
        # Tracing libraries keep the current request in a context variable.
        run = contextvars.copy_context().run
        threading.Thread(target=lambda: results.put(run(attempt)), name="claim", daemon=True).start()
        try:
            return results.get(timeout=max(seconds, 0))
        except queue.Empty:
            return NoResponse("DeadlineExceeded")

    def _attempt(self, body: bytes, headers: Mapping[str, str], *, deadline: float) -> Result:
        request = AWSRequest("POST", self._url, data=body, headers=dict(headers))
        # Whatever is raised, by a credential provider or by urllib3: the caller waits for a result.
        try:
            credentials = self._session.get_credentials()
            if credentials is None:
                return NoCredentials(None)
            # Frozen, because a refresh in between would mix two keys.
            SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
        except Exception as error:  # noqa: BLE001 - see above
            return NoCredentials(type(error).__name__)
        prepared = request.prepare()
        prepared.stream_output = True
        try:
            response = self._http.send(prepared)
            content = _read(response.raw, deadline)
            truncated = len(content) < int(response.headers.get("Content-Length", 0))
        except Exception as error:  # noqa: BLE001 - see above
            return NoResponse(type(error).__name__)
        if truncated:
            return NoResponse("TruncatedResponse")
        return Response(response.status_code, response.headers, content)


def _read(raw: Any, deadline: float) -> bytes:
    """Read the body in the pieces in which it arrives, so that a slow one does not outlive the deadline."""
    # urllib3 1 has no read1, and its read waits for as many bytes as it is asked for.
    read = partial(raw.read1, _PIECE_BYTES) if hasattr(raw, "read1") else partial(raw.read, 1)
    content = b""
    while piece := read():
        content += piece
        if time.monotonic() > deadline:
            raw.close()
            raise TimeoutError
    return content
