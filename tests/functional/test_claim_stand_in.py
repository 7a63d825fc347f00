"""What the claim stand-in has besides the route: faults, a clock, records. test_claim_cases.py has the route itself."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from constructs_lib import testing
from constructs_lib.testing import ClaimCall, ClaimStandIn, MarketplaceCustomer, MovableClock
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMER = MarketplaceCustomer.licensed(PRODUCT_CODE)


def authorization(region: str = "eu-west-1", service: str = "execute-api") -> str:
    credential = f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/{region}/{service}/aws4_request"
    return f"{credential}, SignedHeaders=host, Signature={'0' * 64}"


def claim(
    claims: ClaimStandIn, code: str, *, key: str | None = None, signed: str | None = authorization()
) -> requests.Response:
    headers = {"Authorization": signed, "Idempotency-Key": key}
    return requests.post(claims.claim_url, json={"registration_code": code}, headers=headers, timeout=10)


@pytest.fixture
def claims() -> Iterator[ClaimStandIn]:
    with ClaimStandIn() as stand_in:
        yield stand_in


def test_a_code_expires_by_the_clock() -> None:
    clock = MovableClock()
    with ClaimStandIn(clock=clock, claim_ttl=timedelta(minutes=2)) as claims:
        early, late = claims.mint(CUSTOMER), claims.mint(CUSTOMER)

        clock.advance(timedelta(seconds=119))
        assert claim(claims, early).status_code == 200
        clock.advance(timedelta(seconds=2))
        assert claim(claims, late).status_code == 404
        assert claim(claims, claims.mint(CUSTOMER)).status_code == 200


@pytest.mark.parametrize("fault", ["throttle", "fail", "deny"])
def test_a_fault_claims_nothing(claims: ClaimStandIn, fault: str) -> None:
    code = claims.mint(CUSTOMER)
    getattr(claims, fault)(2)
    status = {"throttle": 429, "fail": 503, "deny": 403}[fault]

    assert [claim(claims, code).status_code for _ in range(4)] == [status, status, 200, 404]


def test_a_failure_asks_for_as_long_a_pause_as_the_test_wants(claims: ClaimStandIn) -> None:
    claims.fail()
    claims.fail(retry_after=0)

    assert [claim(claims, "x").headers["Retry-After"] for _ in range(2)] == ["5", "0"]


def test_a_lost_response_is_that_of_a_claim_that_succeeded(claims: ClaimStandIn) -> None:
    code = claims.mint(CUSTOMER)
    claims.close_connection()

    with pytest.raises(requests.ConnectionError):
        claim(claims, code, key="key")

    assert claim(claims, code, key="other").status_code == 404
    assert claim(claims, code, key="key").status_code == 200
    assert [(call.status, call.outcome) for call in claims.calls] == [
        (None, "claimed"),
        (404, "claim_refused"),
        (200, "claimed"),
    ]


def test_a_slow_response_is_right_but_late(claims: ClaimStandIn) -> None:
    claims.slow_down(0.2)
    start = time.monotonic()

    assert claim(claims, claims.mint(CUSTOMER)).status_code == 200
    assert time.monotonic() - start >= 0.2


def test_calls_are_recorded_without_the_code(claims: ClaimStandIn) -> None:
    code = claims.mint(CUSTOMER)

    claim(claims, code, signed=None)
    claim(claims, code, key="key")

    unsigned = ClaimCall(access_key_id=None, region=None, idempotency_key=None, status=403, outcome=None)
    signed = ClaimCall(
        access_key_id="AKIDEXAMPLE", region="eu-west-1", idempotency_key="key", status=200, outcome="claimed"
    )
    assert list(claims.calls) == [unsigned, signed]
    assert code not in repr(claims.calls)


def test_faults_and_calls_are_removed_and_codes_stay(claims: ClaimStandIn) -> None:
    code = claims.mint(CUSTOMER)
    claims.throttle(2)
    claim(claims, code)

    claims.reset()

    assert claims.calls == ()
    assert claim(claims, code).status_code == 200


def test_an_unsigned_claim_uses_up_no_fault(claims: ClaimStandIn) -> None:
    claims.throttle()

    assert claim(claims, "x", signed=None).status_code == 403
    assert claim(claims, "x").status_code == 429


@pytest.mark.parametrize("signed", [authorization(service="aws-marketplace"), "Bearer x", authorization()[:-1]])
def test_another_signature_is_denied(claims: ClaimStandIn, signed: str) -> None:
    assert claim(claims, claims.mint(CUSTOMER), signed=signed).status_code == 403


def test_a_signature_for_another_region_is_denied_where_the_region_is_given() -> None:
    with ClaimStandIn(region="eu-west-1") as claims:
        code = claims.mint(CUSTOMER)

        assert claim(claims, code, signed=authorization("us-east-1")).status_code == 403
        assert claim(claims, code, signed=authorization("eu-west-1")).status_code == 200


def test_every_response_has_a_request_id_of_its_own(claims: ClaimStandIn) -> None:
    responses = [claim(claims, "x") for _ in range(2)]

    ids = [response.headers["Apigw-Requestid"] for response in responses]
    assert ids == [response.json()["reference"] for response in responses]
    assert len({*ids}) == 2


def test_a_stand_in_that_is_not_running_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="outside its with block"):
        _ = ClaimStandIn().claim_url


def test_codes_outlive_a_block() -> None:
    claims = ClaimStandIn()
    code = claims.mint(CUSTOMER)

    with claims, claims:
        assert claim(claims, code).status_code == 200


def test_the_kit_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Claims'"):
        _ = testing.Claims
