"""An AWS Marketplace on loopback: ResolveCustomer, the tokens that it resolves, and the buyer's page.

Standard library only, so that a seller's tests need nothing else.
"""

import base64
import json
import re
import secrets
import string
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self, cast

from constructs_lib.testing._loopback_server import LoopbackServer
from constructs_lib.testing._marketplace_page import Card, marketplace_page

_TARGET = "AWSMPMeteringService.ResolveCustomer"
_JSON = "application/x-amz-json-1.1"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key_id>[^/,\s]+)/\d{8}/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request,\s*SignedHeaders=[^,\s]+,\s*Signature=[0-9a-f]{64}",
    re.ASCII,
)
_REFUSALS = {
    "AccessDeniedException": (
        "User: arn:aws:sts::111122223333:assumed-role/resolver/session is not authorized to perform: "
        "aws-marketplace:ResolveCustomer because no identity-based policy allows the aws-marketplace:ResolveCustomer "
        "action"
    ),
    "DisabledApiException": "The API is disabled in this Region.",
}


@dataclass(frozen=True, kw_only=True)
class MarketplaceCustomer:
    """A buyer of one product, as ResolveCustomer will tell of it; what is None is absent from the answer.

    Attributes:
        product_code: ``ProductCode``.
        customer_aws_account_id: ``CustomerAWSAccountId``.
        license_arn: ``LicenseArn``.
        agreement_id: ``Metadata.AgreementId``.
        customer_identifier: ``CustomerIdentifier``.
    """

    product_code: str
    customer_aws_account_id: str
    license_arn: str | None = None
    agreement_id: str | None = None
    customer_identifier: str | None = None

    @classmethod
    def legacy(
        cls, product_code: str, *, customer_aws_account_id: str | None = None, customer_identifier: str | None = None
    ) -> Self:
        """Make a buyer of a product from before licenses.

        Args:
            product_code: The product.
            customer_aws_account_id: The buyer's account; a fresh one if not given.
            customer_identifier: The buyer's identifier; a fresh one if not given.

        Returns:
            A customer with ``CustomerIdentifier`` and without ``LicenseArn`` and ``AgreementId``.
        """
        return cls(
            product_code=product_code,
            customer_aws_account_id=customer_aws_account_id or _random(string.digits, 12),
            customer_identifier=customer_identifier or _random(string.ascii_letters + string.digits, 11),
        )

    @classmethod
    def licensed(
        cls,
        product_code: str,
        *,
        customer_aws_account_id: str | None = None,
        license_arn: str | None = None,
        agreement_id: str | None = None,
    ) -> Self:
        """Make a buyer of a new product; call it twice with one account for two licenses of that account.

        Args:
            product_code: The product.
            customer_aws_account_id: The buyer's account; a fresh one if not given.
            license_arn: The license; a fresh one if not given.
            agreement_id: The agreement; a fresh one if not given.

        Returns:
            A customer with ``LicenseArn`` and ``AgreementId`` and without ``CustomerIdentifier``.
        """
        return cls(
            product_code=product_code,
            customer_aws_account_id=customer_aws_account_id or _random(string.digits, 12),
            license_arn=license_arn or f"arn:aws:license-manager::111122223333:license:l-{uuid.uuid4().hex}",
            agreement_id=agreement_id or f"agmt-{_random(string.ascii_lowercase + string.digits, 25)}",
        )


@dataclass(frozen=True, kw_only=True)
class MarketplaceOffer:
    """What the simulated Marketplace page lists once.

    Attributes:
        label: Who the customer is, in words.
        customer: Whom the token of the button resolves to.
        free_trial: Whether the customer accepted a free trial.
    """

    label: str
    customer: MarketplaceCustomer
    free_trial: bool = False


@dataclass(frozen=True, kw_only=True)
class ResolveCustomerCall:
    """A call that the stand-in received.

    Attributes:
        registration_token: The token, or None if the body had none.
        access_key_id: Whose signature it was, or None without one.
        region: The region in the signature's credential scope, or None without one.
        outcome: ``OK``, ``ConnectionClosed``, or the error code.
    """

    registration_token: str | None
    access_key_id: str | None
    region: str | None
    outcome: str


class MovableClock:
    """A clock that runs as its source does and can be moved."""

    def __init__(self, source: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Set the clock.

        Args:
            source: The time before any move; one that always returns the same makes a clock that stands.
        """
        self._source = source
        self._moved = timedelta()

    def __call__(self) -> datetime:
        """Tell the time.

        Returns:
            The source's time and all moves.
        """
        return self._source() + self._moved

    def advance(self, by: timedelta) -> None:
        """Move the clock.

        Args:
            by: How far; less than nothing moves it back.
        """
        self._moved += by


@dataclass(frozen=True, kw_only=True)
class _Answer:
    body: bytes = b""
    content_type: str = _JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome: str = "OK"
    delay: float = 0
    closes_connection: bool = False


class MarketplaceStandIn:
    """An HTTP server on 127.0.0.1 that answers ResolveCustomer as AWS Marketplace does.

    It runs within a ``with`` block. Calls must be signed for ``aws-marketplace``; the signature itself is not verified,
    as any secret key is allowed. Faults are answered to signed calls only, one to each, in the order of injection; then
    the answers are right again.

    Example:
        ```python
        with MarketplaceStandIn() as marketplace:
            monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", marketplace.endpoint_url)
            customer = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")
            marketplace.throttle()
            response = requests.post(signup_url, data=marketplace.form(customer))
        ```
    """

    def __init__(
        self, *, port: int = 0, clock: MovableClock | None = None, token_lifetime: timedelta = timedelta(hours=4)
    ) -> None:
        """Prepare a stand-in that does not listen yet.

        Args:
            port: Where to listen; 0 takes a free port.
            clock: What tokens expire by; one that runs with the computer's if not given.
            token_lifetime: How long a token can be resolved.
        """
        self.clock = clock or MovableClock()
        self._port = port
        self._token_lifetime = token_lifetime
        self._tokens: dict[str, tuple[MarketplaceCustomer, datetime]] = {}
        self._lock = threading.Lock()
        self._faults: deque[Callable[[_Answer], _Answer]] = deque()
        self._calls: list[ResolveCustomerCall] = []
        self._fulfillment_url: str | None = None
        self._offers: tuple[MarketplaceOffer, ...] = ()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        """Listen.

        Returns:
            The stand-in itself.
        """
        self._server = _Server(self._port, get=self._get, post=self._post)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop at once, whatever is under way."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def endpoint_url(self) -> str:
        """The address for ``AWS_ENDPOINT_URL_MARKETPLACE_METERING``.

        Raises:
            RuntimeError: The stand-in is not running.
        """
        if self._server is None:
            raise RuntimeError("the stand-in has no address outside of its with block")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def page_url(self) -> str:
        """The address of the simulated Marketplace page.

        Raises:
            RuntimeError: The stand-in is not running.
        """
        return f"{self.endpoint_url}/"

    @property
    def calls(self) -> Sequence[ResolveCustomerCall]:
        """The ResolveCustomer calls received so far, unsigned ones too."""
        with self._lock:
            return tuple(self._calls)

    def mint(self, customer: MarketplaceCustomer) -> str:
        """Make a registration token.

        Args:
            customer: Whom it resolves to.

        Returns:
            A fresh opaque token, with characters that a form encodes.
        """
        # The bytes in the middle are "++//" in Base64, and the count leaves "==" at the end.
        token = base64.b64encode(secrets.token_bytes(60) + b"\xfb\xef\xff" + secrets.token_bytes(61)).decode()
        self._tokens[token] = customer, self.clock()
        return token

    def form(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> dict[str, str]:
        """Make the fields that a buyer's browser posts to the fulfillment URL.

        Args:
            customer: Who presses the button.
            free_trial: Whether the customer accepted a free trial.

        Returns:
            The fields, not encoded, with a fresh token.
        """
        fields = {"x-amzn-marketplace-token": self.mint(customer)}
        if free_trial:
            fields["x-amzn-marketplace-offer-type"] = "free-trial"
        return fields

    def publish(self, *, fulfillment_url: str, offers: Sequence[MarketplaceOffer]) -> None:
        """Show offers on the page, in place of those shown before.

        Args:
            fulfillment_url: Where their buttons post.
            offers: What to show.

        Raises:
            ValueError: The fulfillment URL is not one that a browser can post to.
        """
        if not fulfillment_url.startswith(("https://", "http://")):
            raise ValueError(f"fulfillment_url must start with https:// or http://, got {fulfillment_url!r}")
        with self._lock:
            self._fulfillment_url, self._offers = fulfillment_url, tuple(offers)

    def throttle(self, times: int = 1) -> None:
        """Answer ThrottlingException.

        Args:
            times: To how many calls.
        """
        self._inject(_error("ThrottlingException", "Rate exceeded"), times)

    def fail(self, times: int = 1) -> None:
        """Answer InternalServiceErrorException, with status 500.

        Args:
            times: To how many calls.
        """
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        self._inject(_error("InternalServiceErrorException", "An internal error has occurred.", status), times)

    def refuse(self, times: int = 1, code: str = "AccessDeniedException") -> None:
        """Answer an error that no retry mends, with status 400.

        Args:
            times: To how many calls.
            code: The error code, such as ``DisabledApiException``.
        """
        self._inject(_error(code, _REFUSALS.get(code, "The request was refused.")), times)

    def answer(self, body: Mapping[str, object], times: int = 1) -> None:
        """Answer success with a body of the caller's making, such as one without an account.

        Args:
            body: The members of the answer.
            times: To how many calls.
        """
        self._inject(_Answer(body=json.dumps(body).encode()), times)

    def close_connection(self, times: int = 1) -> None:
        """Close the connection without an answer.

        Args:
            times: To how many calls.
        """
        self._inject(_Answer(closes_connection=True, outcome="ConnectionClosed"), times)

    def slow_down(self, seconds: float, times: int = 1) -> None:
        """Answer rightly but late.

        Args:
            seconds: How late.
            times: To how many calls.
        """
        with self._lock:
            self._faults.extend([lambda right: replace(right, delay=seconds)] * times)

    def clear_faults(self) -> None:
        """Drop the faults that no call has met yet."""
        with self._lock:
            self._faults.clear()

    def reset(self) -> None:
        """Drop the faults and forget the calls; tokens and the page stay."""
        with self._lock:
            self._faults.clear()
            self._calls.clear()

    def _inject(self, answer: _Answer, times: int) -> None:
        with self._lock:
            self._faults.extend([lambda _: answer] * times)

    def _get(self, path: str) -> _Answer:
        if path == "/favicon.ico":
            return _Answer(status=HTTPStatus.NO_CONTENT)
        if path != "/":
            return _NOT_FOUND
        with self._lock:
            fulfillment_url, offers = self._fulfillment_url, self._offers
        cards = [
            Card(
                label=offer.label,
                facts=_facts(offer),
                fields=self.form(offer.customer, free_trial=offer.free_trial),
            )
            for offer in offers
        ]
        return _Answer(
            body=marketplace_page(fulfillment_url, cards).encode(),
            content_type="text/html; charset=utf-8",
            # No form-action: browsers hold it against the redirect to the landing page too.
            headers={
                "Cache-Control": "no-store",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
            },
        )

    def _post(self, path: str, headers: Message, body: bytes) -> _Answer:
        if path != "/":
            return _NOT_FOUND
        if headers.get("X-Amz-Target") != _TARGET or headers.get_content_type() != _JSON:
            return _error("UnknownOperationException", "The operation is not known.")
        authorization = headers.get("Authorization")
        signature = _AUTHORIZATION.fullmatch(authorization or "")
        token = _registration_token(body)
        refusal = _signature_refusal(authorization, signature)
        answer = refusal or (token if isinstance(token, _Answer) else self._resolve(token))
        with self._lock:
            if refusal is None and self._faults:
                answer = self._faults.popleft()(answer)
            self._calls.append(
                ResolveCustomerCall(
                    registration_token=token if isinstance(token, str) else None,
                    access_key_id=signature and signature["access_key_id"],
                    region=signature and signature["region"],
                    outcome=answer.outcome,
                )
            )
        return answer

    def _resolve(self, token: str) -> _Answer:
        if token not in self._tokens:
            return _error("InvalidTokenException", "Registration token is invalid.")
        customer, minted_at = self._tokens[token]
        if self.clock() - minted_at >= self._token_lifetime:
            return _error("ExpiredTokenException", "The submitted registration token has expired.")
        return _Answer(body=json.dumps(_members(customer)).encode())


class _Server(LoopbackServer):
    def __init__(
        self, port: int, *, get: Callable[[str], _Answer], post: Callable[[str, Message, bytes], _Answer]
    ) -> None:
        super().__init__(_Handler, port)
        self.get = get
        self.post = post


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(self._stand_in.get(self._path))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            # Where the next request begins is not known.
            self.close_connection = True
            length = "0"
        self._send(self._stand_in.post(self._path, self.headers, self.rfile.read(int(length))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    @property
    def _stand_in(self) -> _Server:
        return cast("_Server", self.server)

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _send(self, answer: _Answer) -> None:
        if answer.closes_connection or (answer.delay and self._stand_in.stopping.wait(answer.delay)):
            self.close_connection = True
            return
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}
        if answer.status is not HTTPStatus.NO_CONTENT:
            headers |= {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        if self.close_connection:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # One write, one packet: a head and a body apart wait for each other's acknowledgement.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + answer.body)


def _error(code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> _Answer:
    return _Answer(
        body=json.dumps({"__type": code, "message": message}).encode(),
        status=status,
        headers={"x-amzn-ErrorType": code},
        outcome=code,
    )


_NOT_FOUND = _Answer(status=HTTPStatus.NOT_FOUND, body=b"not found\n", content_type="text/plain; charset=utf-8")


def _signature_refusal(authorization: str | None, signature: re.Match[str] | None) -> _Answer | None:
    if authorization is None:
        return _error("MissingAuthenticationTokenException", "Missing Authentication Token", HTTPStatus.FORBIDDEN)
    if signature is None:
        return _error("IncompleteSignatureException", "The request signature does not conform to AWS standards.")
    if signature["service"] != "aws-marketplace":
        return _error(
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'aws-marketplace'.",
            HTTPStatus.FORBIDDEN,
        )
    return None


def _registration_token(body: bytes) -> str | _Answer:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        return _error("SerializationException", "The request is not a JSON object.")
    token = request.get("RegistrationToken")
    if not (token is None or isinstance(token, str)):
        return _error("SerializationException", "RegistrationToken is not a string.")
    return token or _error(
        "ValidationException",
        "1 validation error detected: Value at 'registrationToken' failed to satisfy constraint: Member must not be "
        "empty",
    )


def _members(customer: MarketplaceCustomer) -> dict[str, object]:
    members = {
        "ProductCode": customer.product_code,
        "CustomerAWSAccountId": customer.customer_aws_account_id,
        "CustomerIdentifier": customer.customer_identifier,
        "LicenseArn": customer.license_arn,
        "Metadata": customer.agreement_id and {"AgreementId": customer.agreement_id},
    }
    return {name: value for name, value in members.items() if value is not None}


def _facts(offer: MarketplaceOffer) -> dict[str, str]:
    facts = {
        "Product code": offer.customer.product_code,
        "AWS account": offer.customer.customer_aws_account_id,
        "Customer identifier": offer.customer.customer_identifier,
        "License": offer.customer.license_arn,
        "Agreement": offer.customer.agreement_id,
        "Offer type": "free-trial" if offer.free_trial else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
