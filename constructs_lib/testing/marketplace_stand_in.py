"""The Marketplace stand-in: registration tokens, ResolveCustomer, buyers' lives and their page on loopback.

It uses only the standard library, so a seller's tests need no other dependency.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from constructs_lib._marketplace_regions import MARKETPLACE_REGIONS
from constructs_lib.testing._agreement_api import JSON_1_0, AgreementApi
from constructs_lib.testing._aws_service import (
    JSON,
    AwsFaults,
    AwsResponse,
    aws_error,
    read_request,
    signature_error,
)
from constructs_lib.testing._get_entitlements import GetEntitlements
from constructs_lib.testing._marketplace_lives import MarketplaceLives
from constructs_lib.testing._marketplace_page import STEP_PATH, Card, Life, marketplace_page
from constructs_lib.testing._stand_in import Response, StandIn, signature
from constructs_lib.testing.movable_clock import MovableClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from email.message import Message

    from constructs_lib.testing.agreement_service import AgreementService
    from constructs_lib.testing.entitlement_service import EntitlementService
    from constructs_lib.testing.marketplace_customer import MarketplaceCustomer

_RESOLVE_CUSTOMER = "AWSMPMeteringService.ResolveCustomer"
_GET_ENTITLEMENTS = "AWSMPEntitlementService.GetEntitlements"


@dataclass(frozen=True, kw_only=True)
class MarketplaceOffer:
    """An offer on the stand-in's page.

    Attributes:
        label: Describes the buyer.
        customer: The buyer that the button's registration token resolves to.
        free_trial: Whether the buyer accepted a free trial.
        error: The error code that redeeming the button's registration token gets, as in ``MarketplaceStandIn.mint``.
        description: What to expect after the button is pressed, for the reader of the page.
        entitlements: Dimension to quantity, with which the buyer subscribes on the page.
    """

    label: str
    customer: MarketplaceCustomer
    free_trial: bool = False
    error: str | None = None
    description: str | None = None
    entitlements: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class ResolveCustomerCall:
    """A call that the stand-in received.

    Attributes:
        registration_token: The registration token, or None if the body had none.
        access_key_id: The access key that signed the call, or None if it was not signed.
        region: The region in the signature's credential scope, or None if the call was not signed.
        outcome: ``OK``, ``ConnectionClosed``, or the error code.
    """

    registration_token: str | None
    access_key_id: str | None
    region: str | None
    outcome: str


class MarketplaceStandIn(AwsFaults, StandIn, MarketplaceLives):
    """An HTTP server on 127.0.0.1 that responds as AWS Marketplace does to a seller.

    It has ResolveCustomer, GetEntitlements and the Agreement API, and runs within a ``with`` block. Calls must be
    signed for ``aws-marketplace`` in a region that has the operation; the signature itself is not verified, so any
    secret key works. Each injected fault applies to one signed call of ResolveCustomer, in order; after that, calls
    succeed again. A token minted with an error gets that error in every call and disturbs no other token, so it suits
    tests in which several buyers arrive at once.

    Buyers subscribe, change, renew, resubscribe and cancel. Each step returns AWS Marketplace's events in the envelope
    of EventBridge, and decides what the operations return from then on. Events have the clock's time and the seconds
    between them of a real purchase; a buyer's next step is later than their last event.

    Attributes:
        entitlements: GetEntitlements, with its own faults and calls.
        agreements: The Agreement API, with its own faults and calls.

    Example:
        ```python
        with MarketplaceStandIn() as marketplace:
            monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", marketplace.endpoint_url)
            customer = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")
            marketplace.throttle()
            response = requests.post(signup_url, data=marketplace.form(customer))
            for event in marketplace.subscribe(customer, entitlements={"users": 10}):
                handle(event)
        ```
    """

    entitlements: EntitlementService
    agreements: AgreementService
    _operation = "ResolveCustomer"

    def __init__(
        self,
        *,
        port: int = 0,
        clock: MovableClock | None = None,
        token_lifetime: timedelta = timedelta(hours=4),
        redeem_once: bool = False,
        seller_account_id: str = "444455556666",
    ) -> None:
        """Prepare a stand-in that does not listen yet.

        Args:
            port: Port to listen on; 0 chooses a free one.
            clock: The clock by which registration tokens expire and events happen; follows the computer's by default.
            token_lifetime: How long a registration token can be redeemed.
            redeem_once: Whether a registration token that was redeemed has expired from then on. AWS's reference allows
                for it; by default, it can be redeemed again until its lifetime is over.
            seller_account_id: The account that publishes the products, and gets the events.
        """
        super().__init__(port)
        MarketplaceLives.__init__(self, seller_account_id)
        self._get_entitlements = GetEntitlements(self._entitlements)
        self.entitlements = self._get_entitlements
        self.clock = clock or MovableClock()
        self._agreement_api = AgreementApi(self._agreements, self.clock, seller_account_id)
        self.agreements = self._agreement_api
        self._token_lifetime = token_lifetime
        self._redeem_once = redeem_once
        self._tokens: dict[str, tuple[MarketplaceCustomer, datetime, str | None]] = {}
        self._calls: list[ResolveCustomerCall] = []
        self._fulfillment_url: str | None = None
        self._offers: tuple[MarketplaceOffer, ...] = ()
        self._deliver: Callable[[dict[str, Any]], object] | None = None

    @property
    def endpoint_url(self) -> str:
        """The URL for ``AWS_ENDPOINT_URL_MARKETPLACE_…``: ``METERING``, ``ENTITLEMENT_SERVICE`` and ``AGREEMENT``.

        Raises:
            RuntimeError: The stand-in is not running.
        """
        return self._base_url()

    @property
    def page_url(self) -> str:
        """The URL of the stand-in's page.

        Raises:
            RuntimeError: The stand-in is not running.
        """
        return f"{self.endpoint_url}/"

    @property
    def calls(self) -> Sequence[ResolveCustomerCall]:
        """The ResolveCustomer calls received so far, including unsigned ones."""
        with self._lock:
            return tuple(self._calls)

    def mint(self, customer: MarketplaceCustomer, *, error: str | None = None) -> str:
        """Create a registration token.

        Args:
            customer: The buyer that it resolves to.
            error: The error code that every call with this token gets instead, retries included, such as
                ``ExpiredTokenException``, ``InvalidTokenException``, ``ThrottlingException``,
                ``InternalServiceErrorException`` (status 500) or ``AccessDeniedException``.

        Returns:
            A new opaque token, with characters that a form encodes.
        """
        # The bytes in the middle are "++//" in Base64, and the count leaves "==" at the end.
        token = base64.b64encode(secrets.token_bytes(60) + b"\xfb\xef\xff" + secrets.token_bytes(61)).decode()
        self._tokens[token] = customer, self.clock(), error
        return token

    def form(
        self, customer: MarketplaceCustomer, *, free_trial: bool = False, error: str | None = None
    ) -> dict[str, str]:
        """Return the fields that a buyer's browser posts to the fulfillment URL.

        Args:
            customer: The buyer who presses the button.
            free_trial: Whether the buyer accepted a free trial.
            error: The error code that redeeming the registration token gets, as in ``mint``.

        Returns:
            The fields, not encoded, with a new registration token.
        """
        fields = {"x-amzn-marketplace-token": self.mint(customer, error=error)}
        if free_trial:
            fields["x-amzn-marketplace-offer-type"] = "free-trial"
        return fields

    def publish(
        self,
        *,
        fulfillment_url: str,
        offers: Sequence[MarketplaceOffer],
        deliver: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        """Replace the offers on the page.

        Args:
            fulfillment_url: URL that their buttons post to.
            offers: The new offers.
            deliver: Called with each event of the buttons for subscribing, changing, canceling and subscribing again,
                such as one that sends it to the queue; by default the page has no such buttons.

        Raises:
            ValueError: A browser cannot post to the fulfillment URL.
        """
        if not fulfillment_url.startswith(("https://", "http://")):
            raise ValueError(f"fulfillment_url must start with https:// or http://, got {fulfillment_url!r}")
        with self._lock:
            self._fulfillment_url, self._offers, self._deliver = fulfillment_url, tuple(offers), deliver

    def reset(self) -> None:
        """Remove the injected faults and the recorded calls, of all operations; tokens, buyers and the page stay."""
        with self._lock:
            self._faults.clear()
            self._calls.clear()
        self.entitlements.reset()
        self.agreements.reset()

    def _respond(self, method: str, path: str, headers: Message, body: bytes) -> Response:
        response = self._get(path) if method == "GET" else self._post(path, headers, body)
        return replace(response, headers={"x-amzn-RequestId": str(uuid.uuid4()), **response.headers})

    def _get(self, path: str) -> Response:
        if path == "/favicon.ico":
            return AwsResponse(status=HTTPStatus.NO_CONTENT)
        if path != "/":
            return _NOT_FOUND
        with self._lock:
            fulfillment_url, offers, deliver = self._fulfillment_url, self._offers, self._deliver
        cards = [
            Card(
                label=offer.label,
                description=offer.description,
                facts=_facts(replace(offer, customer=self.current(offer.customer))),
                fields=self.form(offer.customer, free_trial=offer.free_trial, error=offer.error),
                life=self._life(offer) if deliver and offer.error is None else None,
            )
            for offer in offers
        ]
        return AwsResponse(
            body=marketplace_page(fulfillment_url, cards).encode(),
            content_type="text/html; charset=utf-8",
            # No form-action: browsers apply it to the redirect to the landing page too.
            headers={
                "Cache-Control": "no-store",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
            },
        )

    def _life(self, offer: MarketplaceOffer) -> Life:
        quantities = self._quantities(offer.customer)
        return Life(
            active=self._is_active(offer.customer),
            quantities={
                name: quantity if quantities is None else quantities.get(name, quantity)
                for name, quantity in (offer.entitlements or {}).items()
            },
        )

    def _take_step(self, body: bytes) -> Response:
        fields = dict(parse_qsl(body.decode(errors="replace")))
        with self._lock:
            offers, deliver = self._offers, self._deliver
        try:
            offer = dict(enumerate(offers, 1))[int(fields["offer"])]
            events = self._step_of(offer, fields)
        except (KeyError, ValueError) as error:
            # Also a button that another window has pressed since the page was loaded.
            return _plain(HTTPStatus.CONFLICT, f"{error}: reload the page")
        try:
            self.deliver(events, deliver or (lambda _: None))
        except Exception as error:  # noqa: BLE001 - the caller's function may raise anything
            return _plain(HTTPStatus.BAD_GATEWAY, f"the events were not delivered: {error!r}")
        return AwsResponse(status=HTTPStatus.SEE_OTHER, headers={"Location": f"/#offer-{fields['offer']}"})

    def _step_of(self, offer: MarketplaceOffer, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        customer, step = offer.customer, fields["step"]
        if step == "cancel":
            return self.cancel(customer)
        entitlements = {name: int(fields[f"quantity-{name}"]) for name in offer.entitlements or {}}
        match step:
            case "subscribe":
                return self.subscribe(customer, entitlements=entitlements)
            case "change":
                return self.change(customer, entitlements=entitlements)
            case "resubscribe":
                return self.resubscribe(customer, entitlements=entitlements)
        raise ValueError(f"unknown step {step!r}")

    def _post(self, path: str, headers: Message, body: bytes) -> Response:
        if path == STEP_PATH:
            return self._take_step(body)
        if path != "/":
            return _NOT_FOUND
        if headers.get_content_type() == JSON_1_0:
            return self._agreement_api.respond(headers, body)
        target = headers.get("X-Amz-Target") if headers.get_content_type() == JSON else None
        if target == _GET_ENTITLEMENTS:
            return self._get_entitlements.respond(headers, body)
        if target != _RESOLVE_CUSTOMER:
            return aws_error("UnknownOperationException", "The operation is not known.")
        authorization = headers.get("Authorization")
        signed = signature(authorization)
        token = _registration_token(body)
        rejection = signature_error(authorization, signed, MARKETPLACE_REGIONS)
        response = rejection or self._with_fault(lambda: self._resolve(token) if isinstance(token, str) else token)
        with self._lock:
            self._calls.append(
                ResolveCustomerCall(
                    registration_token=token if isinstance(token, str) else None,
                    access_key_id=signed and signed["access_key_id"],
                    region=signed and signed["region"],
                    outcome="ConnectionClosed" if response.closes_connection else str(response.outcome),
                )
            )
        return response

    def _resolve(self, token: str) -> Response:
        with self._lock:
            if token not in self._tokens:
                return self._service_error("InvalidTokenException")
            customer, minted_at, error = self._tokens[token]
            if error is not None:
                return self._service_error(error)
            if self.clock() - minted_at >= self._token_lifetime:
                return self._service_error("ExpiredTokenException")
            if self._redeem_once:
                self._tokens[token] = customer, datetime.min.replace(tzinfo=UTC), None
        return AwsResponse(body=json.dumps(_members(self.current(customer))).encode())


def _plain(status: HTTPStatus, text: str) -> Response:
    return AwsResponse(status=status, body=f"{text}\n".encode(), content_type="text/plain; charset=utf-8")


_NOT_FOUND = _plain(HTTPStatus.NOT_FOUND, "not found")


def _registration_token(body: bytes) -> str | Response:
    request = read_request(body)
    if isinstance(request, Response):
        return request
    token = request.get("RegistrationToken")
    if not (token is None or isinstance(token, str)):
        return aws_error("SerializationException", "RegistrationToken is not a string.")
    return token or aws_error(
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
    if offer.error is not None:
        return {"Error of ResolveCustomer": offer.error}
    facts = {
        "Product code": offer.customer.product_code,
        "AWS account": offer.customer.customer_aws_account_id,
        "Customer identifier": offer.customer.customer_identifier,
        "License": offer.customer.license_arn,
        "Agreement": offer.customer.agreement_id,
        "Offer type": "free-trial" if offer.free_trial else None,
    }
    return {name: value for name, value in facts.items() if value is not None}
