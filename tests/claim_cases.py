"""Cases of the claim route: they run against the resolver, a deployment and the claim stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from constructs_lib.testing import MarketplaceCustomer
from local.product import PRODUCT_CODE
from resolver.errors import (
    BodyTooLargeError,
    BodyUnreadableError,
    ClaimRejectedError,
    ContentTypeRejectedError,
    RegistrationError,
    StoreUnavailableError,
)
from resolver.handler import STATUSES
from resolver.pages import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Case = Callable[["ClaimRoute"], None]

CASES: list[Case] = []
"""What the resolver decides."""

GATEWAY_CASES: list[Case] = []
"""What API Gateway decides, before the resolver is called."""

SUBSCRIPTION_CASES: list[Callable[[SubscribedRoute], None]] = []
"""What a claim tells of a license, where subscriptions are recorded."""

OUTAGE_CASES: list[Case] = []
"""What happens while the claims table cannot be used."""

OF_THE_RESOLVER = ("Cache-Control", "Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options")


class ClaimResponse(NamedTuple):
    """A response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


class ClaimRoute(Protocol):
    """A claim route, and what happens around it."""

    def register(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> str:
        """Register a buyer and return the registration code."""

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, signed: bool
    ) -> ClaimResponse:
        """Send a request."""

    def expire(self, code: str) -> None:
        """Let the registration code expire."""

    def fail(self) -> None:
        """Let the claims table be out of order from now on."""


class SubscribedRoute(ClaimRoute, Protocol):
    """A claim route where subscriptions are recorded."""

    def subscribe(self, customer: MarketplaceCustomer, entitlements: Mapping[str, Any]) -> None:
        """Let the license be active, and its entitlements be recorded."""

    def cancel(self, customer: MarketplaceCustomer) -> None:
        """Let the license be recorded as ended."""


def subscription_case(function: Callable[[SubscribedRoute], None]) -> Callable[[SubscribedRoute], None]:
    SUBSCRIPTION_CASES.append(function)
    return function


def case(function: Case) -> Case:
    CASES.append(function)
    return function


def gateway_case(function: Case) -> Case:
    GATEWAY_CASES.append(function)
    return function


def outage_case(function: Case) -> Case:
    OUTAGE_CASES.append(function)
    return function


def licensed() -> MarketplaceCustomer:
    return MarketplaceCustomer.licensed(PRODUCT_CODE)


def post(
    route: ClaimRoute,
    body: bytes,
    *,
    content_type: str | None = "application/json",
    key: str | None = None,
    signed: bool = True,
) -> ClaimResponse:
    headers = {"Content-Type": content_type, "Idempotency-Key": key, "Accept": "text/html"}
    present = {name: value for name, value in headers.items() if value is not None}
    return route.request("POST", "/claim", headers=present, body=body, signed=signed)


def claim(route: ClaimRoute, code: str, *, key: str | None = None) -> ClaimResponse:
    return post(route, json.dumps({"registration_code": code}).encode(), key=key)


def registration(response: ClaimResponse) -> dict[str, Any]:
    assert response.status == 200, response
    assert response.headers["content-type"] == "application/json"
    check_headers(response)
    members: dict[str, Any] = json.loads(response.body)
    return members


def check_headers(response: ClaimResponse) -> None:
    assert [response.headers[name.lower()] for name in OF_THE_RESOLVER] == [
        "no-store",
        "no-referrer",
        "max-age=63072000",
        "nosniff",
    ]


def is_problem(response: ClaimResponse, error: type[RegistrationError]) -> bool:
    status, text = STATUSES[error], TEXTS[error]
    assert response.headers["content-type"] == "application/problem+json"
    check_headers(response)
    members = json.loads(response.body)
    assert isinstance(members.pop("reference"), str)
    assert ("retry-after" in response.headers) == (status == 503)
    assert members == {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": f"{text.happened} {text.to_do}",
        "outcome": error.outcome,
    }
    return response.status == status


@case
def a_code_gets_the_registration_of_its_buyer(route: ClaimRoute) -> None:
    customer = licensed()
    members = registration(claim(route, route.register(customer, free_trial=True)))

    at = members.pop("RegisteredAt")
    assert members.pop("LastRegisteredAt") == at
    assert len(at) == len("2026-11-23T01:29:04.559756+00:00")
    assert members == {
        "CustomerAWSAccountId": customer.customer_aws_account_id,
        "ProductCode": customer.product_code,
        "LicenseArn": customer.license_arn,
        "AgreementId": customer.agreement_id,
        "OfferType": "free-trial",
    }


@case
def a_legacy_buyer_has_an_identifier_and_no_license(route: ClaimRoute) -> None:
    customer = MarketplaceCustomer.legacy(PRODUCT_CODE)
    members = registration(claim(route, route.register(customer)))

    assert members["CustomerIdentifier"] == customer.customer_identifier
    assert members.keys().isdisjoint({"LicenseArn", "AgreementId", "OfferType"})


@case
def a_code_is_claimed_once(route: ClaimRoute) -> None:
    code = route.register(licensed())

    assert registration(claim(route, code))
    assert is_problem(claim(route, code), ClaimRejectedError)
    assert is_problem(claim(route, code, key="late"), ClaimRejectedError)


@case
def the_same_key_is_the_same_claimant(route: ClaimRoute) -> None:
    code = route.register(licensed())

    first = registration(claim(route, code, key="first"))

    assert registration(claim(route, code, key="first")) == first
    assert is_problem(claim(route, code, key="second"), ClaimRejectedError)
    assert is_problem(claim(route, code), ClaimRejectedError)


@case
def a_key_belongs_to_one_code(route: ClaimRoute) -> None:
    one, another = licensed(), licensed()
    codes = [route.register(one), route.register(another)]

    licenses = [registration(claim(route, code, key="key"))["LicenseArn"] for code in codes]

    assert licenses == [one.license_arn, another.license_arn]


@case
def an_empty_key_is_none(route: ClaimRoute) -> None:
    code = route.register(licensed())

    assert registration(claim(route, code, key=""))
    assert is_problem(claim(route, code, key=""), ClaimRejectedError)


@case
def an_expired_code_is_rejected_even_for_its_claimant(route: ClaimRoute) -> None:
    code, claimed = route.register(licensed()), route.register(licensed())
    registration(claim(route, claimed, key="key"))
    route.expire(code)
    route.expire(claimed)

    assert is_problem(claim(route, code), ClaimRejectedError)
    assert is_problem(claim(route, claimed, key="key"), ClaimRejectedError)


@case
def an_unknown_or_malformed_code_is_rejected(route: ClaimRoute) -> None:
    for code in ("x" * 43, "x" * 42, "x" * 44, "", "ä" * 43, "x" * 42 + "+"):
        assert is_problem(claim(route, code), ClaimRejectedError)


@case
def a_request_without_a_code_is_rejected(route: ClaimRoute) -> None:
    assert is_problem(post(route, b"{}"), ClaimRejectedError)
    assert is_problem(post(route, b"", content_type="application/x-www-form-urlencoded"), ClaimRejectedError)


@case
def a_returning_buyer_keeps_the_first_time_and_gets_the_newest_offer(route: ClaimRoute) -> None:
    customer = licensed()
    first = registration(claim(route, route.register(customer, free_trial=True)))
    earlier = route.register(customer, free_trial=True)
    again = registration(claim(route, route.register(customer)))

    assert again["RegisteredAt"] == first["RegisteredAt"]
    assert again["LastRegisteredAt"] > first["LastRegisteredAt"]
    assert "OfferType" not in again
    # A code leads to the registration as it is now.
    assert registration(claim(route, earlier)) == again


@case
def two_licenses_of_one_account_are_two_registrations(route: ClaimRoute) -> None:
    one = licensed()
    two = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=one.customer_aws_account_id)
    codes = [route.register(one), route.register(two)]

    licenses = [registration(claim(route, code))["LicenseArn"] for code in codes]

    assert licenses == [one.license_arn, two.license_arn]


@case
def a_form_is_read_as_json_is(route: ClaimRoute) -> None:
    code = route.register(licensed())
    body = f"registration_code={code}&other=1".encode()

    assert registration(post(route, body, content_type="Application/X-WWW-Form-Urlencoded; charset=utf-8"))


@case
def other_members_are_not_read(route: ClaimRoute) -> None:
    code = route.register(licensed())

    assert registration(post(route, json.dumps({"registration_code": code, "other": [1, {}]}).encode()))


@case
def a_body_that_is_not_read_is_a_bad_request(route: ClaimRoute) -> None:
    for body in (
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"[" * 5000,
        b'{"registration_code": 1}',
        b'{"registration_code": null}',
        b'{"registration_code": ["x"]}',
        b'{"registration_code": "a\\u0000"}',
        b'{"registration_code": "\\ud800"}',
        b'{"registration_code": "a", "registration_code": "b"}',
        b'{"x-amzn-marketplace-token": 1}',
    ):
        assert is_problem(post(route, body), BodyUnreadableError), body
    form = "application/x-www-form-urlencoded"
    for body in (b"registration_code=a&registration_code=b", b"registration_code=%ff", b"registration_code=%00"):
        assert is_problem(post(route, body, content_type=form), BodyUnreadableError), body


@case
def a_body_above_8_kib_is_too_large(route: ClaimRoute) -> None:
    assert is_problem(post(route, b" " * (8 * 1024 + 1)), BodyTooLargeError)
    assert is_problem(post(route, b" " * (8 * 1024)), BodyUnreadableError)


@case
def another_content_type_is_rejected(route: ClaimRoute) -> None:
    for content_type in ("text/plain", "application/xml", "application/jsonp"):
        assert is_problem(post(route, b"{}", content_type=content_type), ContentTypeRejectedError)


@gateway_case
def an_unsigned_claim_is_denied(route: ClaimRoute) -> None:
    code = route.register(licensed())
    body = json.dumps({"registration_code": code}).encode()

    response = post(route, body, signed=False)

    assert (response.status, json.loads(response.body)) == (403, {"message": "Forbidden"})
    assert registration(claim(route, code))


@gateway_case
def another_route_is_not_found(route: ClaimRoute) -> None:
    for method, path in (("GET", "/claim"), ("POST", "/claim/more"), ("POST", "/")):
        response = route.request(method, path, headers={}, body=b"", signed=False)

        assert (response.status, json.loads(response.body)) == (404, {"message": "Not Found"}), response


@subscription_case
def a_claim_tells_the_status_and_the_entitlements_of_the_license(route: SubscribedRoute) -> None:
    customer = licensed()
    before, active, ended = (route.register(customer) for _ in range(3))

    assert registration(claim(route, before)).keys().isdisjoint({"LicenseStatus", "Entitlements"})

    route.subscribe(customer, {"users": 10, "support": True})
    told = registration(claim(route, active))
    assert told["LicenseStatus"] == "ACTIVE"
    assert {each["Dimension"]: each["Value"] for each in told["Entitlements"]} == {
        "users": {"IntegerValue": 10},
        "support": {"BooleanValue": True},
    }

    route.cancel(customer)
    told = registration(claim(route, ended))
    assert told["LicenseStatus"] == "DEPROVISIONED"
    assert "Entitlements" not in told


@outage_case
def an_outage_is_reported_as_such(route: ClaimRoute) -> None:
    code = route.register(licensed())
    route.fail()

    response = claim(route, code)

    assert is_problem(response, StoreUnavailableError)
    assert response.headers["retry-after"] == "5"
