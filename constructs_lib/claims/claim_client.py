"""The client of the construct's claim URL."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from http import HTTPStatus
from random import SystemRandom
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError

from constructs_lib.claims._transport import NoCredentials, NoResponse, Response, Session, Transport
from constructs_lib.claims.claim_errors import (
    ClaimConfigurationError,
    ClaimDeniedError,
    ClaimError,
    ClaimRejectedError,
    ClaimRequestError,
    ClaimUnavailableError,
)

if TYPE_CHECKING:
    from types import TracebackType

    from constructs_lib.claims.registration import Registration

_ATTEMPT_SECONDS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_EXECUTE_API = re.compile(r"(?:^|\.)execute-api\.([a-z]{2,}(?:-[a-z]+)+-[0-9]+)\.")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# What of a response may be put into an error's text.
_PLAIN = re.compile(r"[\w=+/-]{1,100}", re.ASCII)

_random = SystemRandom()


class ClaimClient:
    """Claims registrations at the construct's ``claim_url``.

    Make one client and use it for every claim, from any number of threads: it reuses connections. A claim that is
    throttled, fails or gets no response is retried with the same ``Idempotency-Key``, signed again each time, until
    ``timeout``. The environment's proxies and CA bundles apply as in every AWS SDK.

    Example:
        ```python
        client = ClaimClient(os.environ["CLAIM_URL"])
        registration = client.claim(registration_code)
        ```

    Raises:
        ClaimConfigurationError: ``claim_url`` is wrong, or there is no region.
    """

    def __init__(
        self,
        claim_url: str,
        *,
        region: str | None = None,
        session: Session | None = None,
        timeout: float = 20,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            claim_url: The construct's ``claim_url``.
            region: The API's region. By default it is read from an execute-api URL; with a custom domain, it is that of
                the session or of ``AWS_REGION``.
            session: A ``boto3.Session`` or ``botocore.session.Session`` with credentials of a principal that
                ``grant_claim`` was called with; by default, the credentials that every AWS SDK finds.
            timeout: Seconds for all attempts of a claim together. The default is below the 30 seconds after which many
                load balancers give up.
        """
        host = _host(claim_url)
        if not timeout > 0:
            raise ClaimConfigurationError(f"timeout: must be greater than 0 seconds, got {timeout!r}")
        own = botocore.session.Session()
        self._session = session or own
        self._region = region or _region(host, self._session, own)
        self._timeout = timeout
        loopback = host in _LOOPBACK
        self._transport = Transport(
            claim_url,
            region=self._region,
            session=self._session,
            ca_bundle=_variable(self._session, "ca_bundle") or _variable(own, "ca_bundle"),
            use_proxies=not loopback,
            attempt_seconds=min(_ATTEMPT_SECONDS, timeout),
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the idle connections; the next claim opens one again."""
        self._transport.close()

    def claim(self, registration_code: str, *, idempotency_key: str | None = None) -> Registration:
        """Claim the registration, once.

        Args:
            registration_code: As the landing page received it; never log it.
            idempotency_key: Identifies the claimant, if the same claim may be made again after a
                ClaimUnavailableError, such as when the buyer reloads the page. A string of ASCII that others cannot
                guess; by default, a new one for each call.

        Returns:
            The registration: store it, and discard the registration code.

        Raises:
            ClaimRejectedError: the registration code is unknown, used or expired.
            ClaimDeniedError: the signature, the region or the permission is wrong.
            ClaimUnavailableError: no final response within ``timeout``.
            ClaimRequestError: the request itself is wrong.
            ClaimConfigurationError: there are no credentials.
        """
        key = idempotency_key or str(uuid.uuid4())
        if not (key.isascii() and key.isprintable()):
            raise ClaimRequestError("idempotency_key: must be printable ASCII, as it is sent in a header")
        body = json.dumps({"registration_code": registration_code}).encode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        deadline = time.monotonic() + self._timeout
        longest_pause = _FIRST_PAUSE
        while True:
            left = deadline - time.monotonic()
            result = self._transport.post(body, headers, seconds=min(left, _ATTEMPT_SECONDS))
            if isinstance(result, NoCredentials):
                raise ClaimConfigurationError(_no_credentials(result))
            if isinstance(result, Response):
                registration = self._registration(result)
                if registration is not None:
                    return registration
            pause = _random.uniform(longest_pause / 2, longest_pause) + _retry_after(result)
            longest_pause = min(2 * longest_pause, _LONGEST_PAUSE)
            if time.monotonic() + pause >= deadline:
                self._give_up(result)
            time.sleep(pause)

    def _registration(self, response: Response) -> Registration | None:
        """Return the registration, or None if a retry may get it; raise what is final."""
        status, members = response.status, _members(response)
        if status == HTTPStatus.OK:
            # Anything else is not from the resolver: a proxy's page, for example.
            return cast("Registration", members) if "CustomerAWSAccountId" in members else None
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        if status == HTTPStatus.FORBIDDEN:
            raise _error(
                ClaimDeniedError,
                "the claim was denied: check that the role of the credentials has grant_claim, that the API is in the "
                f"region {self._region}, and this computer's clock",
                response,
            )
        # API Gateway has a 404 of its own, for a path that it does not know.
        if status == HTTPStatus.NOT_FOUND and members.get("outcome") == "claim_refused":
            raise _error(ClaimRejectedError, "the registration code is unknown, used or expired", response)
        raise _error(ClaimRequestError, "the claim URL did not accept the request", response)

    def _give_up(self, result: Response | NoResponse) -> NoReturn:
        message = f"no final response from the claim URL within {self._timeout:g} s"
        if isinstance(result, Response):
            raise _error(ClaimUnavailableError, message, result)
        raise ClaimUnavailableError(f"{message} ({result.reason})")


def _host(claim_url: str) -> str:
    # A landing page's URL, given by mistake, has the registration code in its query.
    shown = claim_url.partition("?")[0]
    try:
        url = urlsplit(claim_url)
        host = url.hostname
    except ValueError:
        host = None
    if not host or not (url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK)):
        raise ClaimConfigurationError(f"claim_url: must be an https URL, got {shown!r}")
    if not url.path.endswith("/claim") or url.query:
        raise ClaimConfigurationError(
            f"claim_url: must be the construct's claim_url, which ends in /claim, got {shown!r}"
        )
    return host


def _region(host: str, session: Session, own: Session) -> str:
    if named := _EXECUTE_API.search(host):
        return named[1]
    # botocore does not read AWS_REGION.
    found: str | None = _variable(session, "region") or _variable(own, "region") or os.environ.get("AWS_REGION")
    if not found:
        raise ClaimConfigurationError(
            "region: none was found for this claim_url; pass region=… or set AWS_REGION to the API's region"
        )
    return found


def _variable(session: Session, name: str) -> Any:
    """Return a session's setting; boto3's session has the region only."""
    try:
        if isinstance(session, botocore.session.Session):
            return session.get_config_variable(name)
    except BotoCoreError as error:
        raise ClaimConfigurationError(f"the AWS configuration cannot be used: {type(error).__name__}") from None
    return getattr(session, f"{name}_name", None)


def _no_credentials(result: NoCredentials) -> str:
    if result.reason:
        return f"credentials: they could not be loaded: {result.reason}"
    return "credentials: none were found; give the backend a role that has grant_claim, or set AWS_PROFILE"


def _members(response: Response) -> dict[str, Any]:
    try:
        members = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _error(kind: type[ClaimError], message: str, response: Response) -> ClaimError:
    members = _members(response)
    reference = _plain(members.get("reference")) or _plain(response.headers.get("Apigw-Requestid"))
    outcome = _plain(members.get("outcome"))
    facts = [f"{response.status} {outcome}" if outcome else f"{response.status}"]
    if reference:
        facts.append(f"reference {reference}")
    return kind(f"{message} ({', '.join(facts)})", status=response.status, reference=reference)


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def _retry_after(result: Response | NoResponse) -> int:
    """Return the seconds that the response asks for; the resolver and API Gateway send no dates."""
    value = result.headers.get("Retry-After", "") if isinstance(result, Response) else ""
    return int(value) if value.isdecimal() else 0
