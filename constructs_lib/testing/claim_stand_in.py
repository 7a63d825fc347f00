"""The claim stand-in: registration codes and the construct's claim URL on loopback.

It uses only the standard library, so a seller's tests need no other dependency.
"""

import base64
import hashlib
import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import Message
from functools import partial
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl

from constructs_lib.testing._marketplace_lives import typed_value
from constructs_lib.testing._stand_in import Response, StandIn, signature
from constructs_lib.testing.marketplace_customer import MarketplaceCustomer
from constructs_lib.testing.movable_clock import MovableClock

_CODE_FIELD = "registration_code"
_FIELDS = frozenset({_CODE_FIELD, "x-amzn-marketplace-token", "x-amzn-marketplace-offer-type"})
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_BODY_BYTES = 8 * 1024

# API Gateway's own responses have none of the resolver's headers.
_from_gateway = partial(Response, content_type="application/json")
_NOT_FOUND = _from_gateway(status=HTTPStatus.NOT_FOUND, body=b'{"message":"Not Found"}')
_FORBIDDEN = _from_gateway(status=HTTPStatus.FORBIDDEN, body=b'{"message":"Forbidden"}')
_THROTTLED = _from_gateway(status=HTTPStatus.TOO_MANY_REQUESTS, body=b'{"message":"Too Many Requests"}')

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}
_SET_UP_AGAIN = "Go back to AWS Marketplace and press “Set up your account” again."


@dataclass(frozen=True, kw_only=True)
class ClaimCall:
    """A claim that the stand-in received; the registration code is not recorded.

    Attributes:
        access_key_id: The access key that signed the call, or None if it was not signed.
        region: The region in the signature's credential scope, or None if the call was not signed.
        idempotency_key: The header ``Idempotency-Key``, or None.
        status: The status of the response, or None if the connection was closed instead.
        outcome: The resolver's outcome, also if the connection was closed; None if API Gateway itself responds.
    """

    access_key_id: str | None
    region: str | None
    idempotency_key: str | None
    status: int | None
    outcome: str | None


@dataclass(kw_only=True)
class _Claim:
    key: tuple[str, str]
    expires_at: int
    claimant: str | None = None


class _ProblemError(Exception):
    def __init__(self, status: HTTPStatus, outcome: str, detail: str) -> None:
        super().__init__(outcome)
        self.status, self.outcome, self.detail = status, outcome, detail


def _unreadable() -> _ProblemError:
    return _ProblemError(HTTPStatus.BAD_REQUEST, "bad_request", f"This registration could not be read. {_SET_UP_AGAIN}")


def _rejected() -> _ProblemError:
    return _ProblemError(
        HTTPStatus.NOT_FOUND,
        "claim_refused",
        "This registration code is unknown, used or expired. Send the buyer back to AWS Marketplace to press “Set up "
        "your account” again.",
    )


class ClaimStandIn(StandIn):
    """An HTTP server on 127.0.0.1 that responds to claims as the deployed ``POST /claim`` does.

    It runs within a ``with`` block. Claims must be signed for ``execute-api``; the signature itself is not verified, so
    any secret key works. Each injected fault applies to one signed claim, in order; after that, claims succeed again.

    Example:
        ```python
        with ClaimStandIn() as claims:
            monkeypatch.setenv("CLAIM_URL", claims.claim_url)
            customer = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")
            claims.fail()
            response = test_client.get("/signup", params={"registration_code": claims.mint(customer)})
        ```
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: MovableClock | None = None,
        claim_ttl: timedelta = timedelta(minutes=10),
        region: str | None = None,
    ) -> None:
        """Prepare a stand-in that does not listen yet.

        Args:
            port: Port to listen on; 0 chooses a free one.
            clock: The clock by which registration codes expire; follows the computer's by default.
            claim_ttl: How long a registration code is valid.
            region: The API's region: claims signed for another one are denied. By default, any region will do.
        """
        super().__init__(port)
        self.clock = clock or MovableClock()
        self._claim_ttl = claim_ttl
        self._region = region
        self._claims: dict[str, _Claim] = {}
        self._registrations: dict[tuple[str, str], dict[str, str]] = {}
        self._licenses: dict[tuple[str, str], dict[str, Any]] = {}
        self._calls: list[ClaimCall] = []

    @property
    def claim_url(self) -> str:
        """The URL to claim at.

        Raises:
            RuntimeError: The stand-in is not running.
        """
        return f"{self._base_url()}/claim"

    @property
    def calls(self) -> Sequence[ClaimCall]:
        """The claims received so far, including unsigned ones."""
        with self._lock:
            return tuple(self._calls)

    def mint(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> str:
        """Register a buyer, as the fulfillment URL does, and create a registration code.

        Args:
            customer: The buyer; one who is registered already registers again.
            free_trial: Whether the buyer accepted a free trial.

        Returns:
            A new registration code, as it arrives at the landing page.
        """
        now = self.clock()
        at = now.isoformat(timespec="microseconds")
        members = {
            "CustomerAWSAccountId": customer.customer_aws_account_id,
            "ProductCode": customer.product_code,
            "LicenseArn": customer.license_arn,
            "AgreementId": customer.agreement_id,
            "CustomerIdentifier": customer.customer_identifier,
            "OfferType": "free-trial" if free_trial else None,
        }
        key = _key(customer)
        code = secrets.token_urlsafe(32)
        # A whole second, as in the claims table.
        expires_at = math.ceil((now + self._claim_ttl).timestamp())
        with self._lock:
            # What Marketplace does not return this time stays, except that a purchase after a free trial is no trial.
            registration = self._registrations.setdefault(key, {"RegisteredAt": at})
            registration.pop("OfferType", None)
            registration |= {name: value for name, value in members.items() if value is not None}
            registration["LastRegisteredAt"] = at
            self._claims[_sha256(code)] = _Claim(key=key, expires_at=expires_at)
        return code

    def set_license(
        self,
        customer: MarketplaceCustomer,
        status: Literal["ACTIVE", "DEPROVISIONED"],
        *,
        entitlements: Mapping[str, float | str | bool] | None = None,
    ) -> None:
        """Tell claims of a buyer's license from now on, as ``MarketplaceSubscriptions`` does once an event has come.

        Args:
            customer: The buyer, registered or not.
            status: The license's status.
            entitlements: Dimension to value; by default none are known. An ended license has none.
        """
        license_: dict[str, Any] = {"LicenseStatus": status}
        if entitlements is not None and status == "ACTIVE":
            license_["Entitlements"] = [
                {"Dimension": dimension, "Value": typed_value(value)} for dimension, value in entitlements.items()
            ]
        with self._lock:
            self._licenses[_key(customer)] = license_

    def throttle(self, times: int = 1) -> None:
        """Respond with status 429, as API Gateway does above ``throttle``; nothing is claimed.

        Args:
            times: To how many calls.
        """
        self._inject(lambda _: _THROTTLED, times)

    def fail(self, times: int = 1, *, retry_after: int = 5) -> None:
        """Respond with ``store_unavailable``, status 503 and ``Retry-After``; nothing is claimed.

        Args:
            times: To how many calls.
            retry_after: Seconds in ``Retry-After``; the resolver sends 5.
        """
        self._inject(lambda _: _unavailable(retry_after), times)

    def deny(self, times: int = 1) -> None:
        """Respond with status 403, as API Gateway does to a role without ``grant_claim``; nothing is claimed.

        Args:
            times: To how many calls.
        """
        self._inject(lambda _: _FORBIDDEN, times)

    def reset(self) -> None:
        """Remove the injected faults and the recorded calls; registration codes stay."""
        with self._lock:
            self._faults.clear()
            self._calls.clear()

    def _respond(self, method: str, path: str, headers: Message, body: bytes) -> Response:
        if (method, path) != ("POST", "/claim"):
            return _identified(_NOT_FOUND)
        signed = signature(headers.get("Authorization"))
        if signed is None or signed["service"] != "execute-api" or self._region not in {None, signed["region"]}:
            response = _FORBIDDEN
        else:
            response = self._with_fault(lambda: self._claim(headers, body))
        with self._lock:
            self._calls.append(
                ClaimCall(
                    access_key_id=signed and signed["access_key_id"],
                    region=signed and signed["region"],
                    idempotency_key=_idempotency_key(headers),
                    status=None if response.closes_connection else int(response.status),
                    outcome=response.outcome,
                )
            )
        return _identified(response)

    def _claim(self, headers: Message, body: bytes) -> Response:
        try:
            registration = self._take(_fields(headers, body).get(_CODE_FIELD, ""), _idempotency_key(headers))
        except _ProblemError as problem:
            return _problem(problem)
        return Response(
            body=json.dumps(registration).encode(),
            content_type="application/json",
            headers=_HEADERS,
            outcome="claimed",
        )

    def _take(self, code: str, idempotency_key: str | None) -> dict[str, Any]:
        with self._lock:
            claim = self._claims.get(_sha256(code)) if _CODE.fullmatch(code) else None
            claimant = _sha256(idempotency_key) if idempotency_key else secrets.token_hex(32)
            if claim is None or claim.expires_at <= self.clock().timestamp() or claim.claimant not in {None, claimant}:
                raise _rejected()
            claim.claimant = claimant
            return {**self._registrations[claim.key], **self._licenses.get(claim.key, {})}


def _key(customer: MarketplaceCustomer) -> tuple[str, str]:
    return customer.customer_aws_account_id, f"{customer.product_code}#{customer.license_arn or ''}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _idempotency_key(headers: Message) -> str | None:
    # API Gateway joins repeated headers.
    return ",".join(headers.get_all("Idempotency-Key", [])) or None


def _fields(headers: Message, body: bytes) -> dict[str, str]:
    content_type = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type not in {"application/json", "application/x-www-form-urlencoded"}:
        raise _ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "bad_request",
            f"This registration is neither a form nor JSON. {_SET_UP_AGAIN}",
        )
    if len(body) > _MAX_BODY_BYTES:
        raise _ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "bad_request", f"This registration is too large. {_SET_UP_AGAIN}"
        )
    try:
        text = body.decode()
        if content_type == "application/json":
            read = json.loads(text, object_pairs_hook=_known)
        else:
            read = _known(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(read, dict) or not all(isinstance(value, str) and value.isprintable() for value in read.values()):
        raise _unreadable()
    return read


def _known(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    known: dict[str, object] = {}
    for name, value in pairs:
        if name in _FIELDS:
            if name in known:
                raise _unreadable()
            known[name] = value
    return known


def _unavailable(retry_after: int) -> Response:
    response = _problem(
        _ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "store_unavailable",
            "Your registration could not be saved. Your subscription is not affected. Wait a few seconds, then go back "
            "to AWS Marketplace and press “Set up your account” again.",
        )
    )
    return replace(response, headers={**response.headers, "Retry-After": str(retry_after)})


def _problem(problem: _ProblemError) -> Response:
    content = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status,
        "detail": problem.detail,
        "outcome": problem.outcome,
    }
    return Response(
        body=json.dumps(content).encode(),
        content_type="application/problem+json",
        status=problem.status,
        headers=_HEADERS,
        outcome=problem.outcome,
    )


def _identified(response: Response) -> Response:
    """Return the response with API Gateway's request id, which is the reference in a problem."""
    request_id = base64.b64encode(secrets.token_bytes(11)).decode()
    body = response.body
    if response.content_type == "application/problem+json":
        body = json.dumps({**json.loads(body), "reference": request_id}).encode()
    return replace(response, body=body, headers={"Apigw-Requestid": request_id, **response.headers})
