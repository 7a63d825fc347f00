import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from constructs_lib._marketplace_regions import MARKETPLACE_REGIONS
from constructs_lib.testing import MarketplaceCustomer, MarketplaceOffer, MarketplaceStandIn, MovableClock
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace.client import MarketplaceMeteringClient

FULFILLMENT_URL = "https://api.example.com/register?a=1&b=\"'<>"
LEGACY = MarketplaceCustomer.legacy(PRODUCT_CODE)
LICENSED = MarketplaceCustomer.licensed(PRODUCT_CODE)
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/aws-marketplace/aws4_request"
SIGNED = f"{CREDENTIAL}, SignedHeaders=host, Signature={'0' * 64}"

SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")


def make_client(
    stand_in: MarketplaceStandIn, *, read_timeout: float = 10, attempts: int = 1, region: str = "us-east-1"
) -> "MarketplaceMeteringClient":
    return SESSION.client(
        "meteringmarketplace",
        region_name=region,
        endpoint_url=stand_in.endpoint_url,
        config=Config(retries={"total_max_attempts": attempts}, read_timeout=read_timeout, max_pool_connections=50),
    )


def resolve(client: "MarketplaceMeteringClient", token: str) -> dict[str, Any]:
    response: dict[str, Any] = {**client.resolve_customer(RegistrationToken=token)}
    del response["ResponseMetadata"]
    return response


def error_of(client: "MarketplaceMeteringClient", token: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as denied:
        client.resolve_customer(RegistrationToken=token)
    response = denied.value.response
    assert token not in json.dumps(response)
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def post(
    stand_in: MarketplaceStandIn,
    body: object = None,
    *,
    target: str = "ResolveCustomer",
    authorization: str | None = SIGNED,
    content_type: str = "application/x-amz-json-1.1",
) -> tuple[int, str]:
    headers = {"X-Amz-Target": f"AWSMPMeteringService.{target}", "Content-Type": content_type}
    if authorization is not None:
        headers["Authorization"] = authorization
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = requests.post(stand_in.endpoint_url, data=data, headers=headers, timeout=10)
    assert response.headers["x-amzn-RequestId"]
    assert response.headers["x-amzn-ErrorType"] == response.json()["__type"]
    return response.status_code, response.json()["__type"]


class Form:
    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}
        self.button = ""


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert attributes["method"] == "post"
            self.forms.append(Form(attributes["action"]))
        elif tag == "input":
            self.forms[-1].fields[attributes["name"]] = attributes["value"]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.tags and self.tags[-1] == "button":
            self.forms[-1].button += data.strip()


def load_page(stand_in: MarketplaceStandIn) -> Page:
    response = requests.get(stand_in.page_url, timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(response.text)


@pytest.fixture
def stand_in() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn() as running:
        yield running


@pytest.fixture
def client(stand_in: MarketplaceStandIn) -> Iterator["MarketplaceMeteringClient"]:
    with closing(make_client(stand_in)) as made:
        yield made


def test_given_a_legacy_customer_then_the_response_has_an_identifier_and_no_license(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    assert resolve(client, stand_in.mint(LEGACY)) == {
        "ProductCode": PRODUCT_CODE,
        "CustomerAWSAccountId": LEGACY.customer_aws_account_id,
        "CustomerIdentifier": LEGACY.customer_identifier,
    }


def test_given_a_licensed_customer_then_the_response_has_license_and_agreement_and_no_identifier(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    assert resolve(client, stand_in.mint(LICENSED)) == {
        "ProductCode": PRODUCT_CODE,
        "CustomerAWSAccountId": LICENSED.customer_aws_account_id,
        "LicenseArn": LICENSED.license_arn,
        "Metadata": {"AgreementId": LICENSED.agreement_id},
    }


def test_given_two_licenses_of_one_account_then_each_token_gets_its_own(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    customers = [MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id="012345678901") for _ in range(2)]

    responses = [resolve(client, stand_in.mint(customer)) for customer in customers]

    assert {response["CustomerAWSAccountId"] for response in responses} == {"012345678901"}
    assert len({response["LicenseArn"] for response in responses}) == 2
    assert len({response["Metadata"]["AgreementId"] for response in responses}) == 2


def test_given_another_sellers_product_then_the_response_has_its_code(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    assert resolve(client, stand_in.mint(MarketplaceCustomer.licensed("foreign")))["ProductCode"] == "foreign"


def test_given_a_customer_with_every_member_then_all_are_in_the_response(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    customer = MarketplaceCustomer(
        product_code="p",
        customer_aws_account_id="000000000001",
        license_arn="l",
        agreement_id="a",
        customer_identifier="c",
    )

    assert resolve(client, stand_in.mint(customer)) == {
        "ProductCode": "p",
        "CustomerAWSAccountId": "000000000001",
        "LicenseArn": "l",
        "Metadata": {"AgreementId": "a"},
        "CustomerIdentifier": "c",
    }


def test_given_a_token_when_form_encoded_then_one_decode_gives_it_back_and_two_do_not(
    stand_in: MarketplaceStandIn,
) -> None:
    form = stand_in.form(LICENSED)
    token = form["x-amzn-marketplace-token"]

    assert set("+/=") <= set(token)
    decoded = dict(parse_qsl(urlencode(form)))
    assert decoded == form
    assert dict(parse_qsl(f"token={decoded['x-amzn-marketplace-token']}"))["token"] != token


def test_given_a_token_when_redeemed_again_before_it_expires_then_the_response_is_the_same(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LICENSED)
    first = resolve(client, token)

    stand_in.clock.advance(timedelta(hours=3, minutes=59))

    assert resolve(client, token) == first


def test_given_a_token_when_its_lifetime_is_over_then_it_has_expired_and_a_fresh_one_has_not(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LICENSED)

    stand_in.clock.advance(timedelta(hours=4))

    assert error_of(client, token) == ("ExpiredTokenException", 400)
    assert resolve(client, stand_in.mint(LICENSED))["LicenseArn"] == LICENSED.license_arn


def test_given_a_frozen_clock_and_a_lifetime_then_tokens_expire_by_them() -> None:
    clock = MovableClock(lambda: datetime(2026, 1, 1, tzinfo=UTC))
    with (
        MarketplaceStandIn(clock=clock, token_lifetime=timedelta(minutes=1)) as stand_in,
        closing(make_client(stand_in)) as client,
    ):
        token = stand_in.mint(LEGACY)
        clock.advance(timedelta(seconds=59))
        resolve(client, token)
        clock.advance(timedelta(seconds=1))

        assert clock() == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
        assert error_of(client, token) == ("ExpiredTokenException", 400)


def test_given_a_stand_in_that_redeems_once_then_a_resubmitted_token_has_expired() -> None:
    with MarketplaceStandIn(redeem_once=True) as stand_in, closing(make_client(stand_in)) as client:
        token, another = stand_in.mint(LICENSED), stand_in.mint(LICENSED)
        stand_in.throttle()

        assert error_of(client, token) == ("ThrottlingException", 400)
        assert resolve(client, token)
        assert error_of(client, token) == ("ExpiredTokenException", 400)
        assert resolve(client, another)


def test_given_a_stand_in_that_redeems_once_then_a_lost_response_is_the_only_one() -> None:
    with MarketplaceStandIn(redeem_once=True) as stand_in, closing(make_client(stand_in, attempts=2)) as client:
        token = stand_in.mint(LICENSED)
        stand_in.close_connection()

        assert error_of(client, token) == ("ExpiredTokenException", 400)


def test_given_an_unknown_token_then_it_is_invalid(client: "MarketplaceMeteringClient") -> None:
    assert error_of(client, "never-minted") == ("InvalidTokenException", 400)


@pytest.mark.parametrize(
    ("inject", "error"),
    [
        (MarketplaceStandIn.throttle, ("ThrottlingException", 400)),
        (MarketplaceStandIn.fail, ("InternalServiceErrorException", 500)),
        (MarketplaceStandIn.refuse, ("AccessDeniedException", 400)),
        (partial(MarketplaceStandIn.refuse, code="DisabledApiException"), ("DisabledApiException", 400)),
        (partial(MarketplaceStandIn.refuse, code="Unheard"), ("Unheard", 400)),
    ],
)
def test_given_an_error_injected_twice_then_two_calls_meet_it_and_the_third_succeeds(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient", inject: Any, error: tuple[str, int]
) -> None:
    token = stand_in.mint(LEGACY)

    inject(stand_in, times=2)

    assert [error_of(client, token) for _ in range(2)] == [error, error]
    assert resolve(client, token)
    assert [call.outcome for call in stand_in.calls] == [error[0], error[0], "OK"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("ExpiredTokenException", 400),
        ("InvalidTokenException", 400),
        ("ThrottlingException", 400),
        ("InternalServiceErrorException", 500),
        ("AccessDeniedException", 400),
        ("Unheard", 400),
    ],
)
def test_given_a_token_with_an_error_then_all_its_calls_get_it_and_no_other_token_does(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient", error: str, status: int
) -> None:
    faulty, good = stand_in.mint(LEGACY, error=error), stand_in.mint(LEGACY)

    assert [(error_of(client, faulty), bool(resolve(client, good))) for _ in range(4)] == [((error, status), True)] * 4

    stand_in.reset()
    assert error_of(client, faulty) == (error, status)


def test_given_a_token_with_an_error_when_a_fault_is_injected_then_the_fault_comes_first(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.form(LEGACY, error="ExpiredTokenException")["x-amzn-marketplace-token"]
    stand_in.throttle()

    assert [error_of(client, token)[0] for _ in range(2)] == ["ThrottlingException", "ExpiredTokenException"]


def test_given_a_throttled_token_when_the_sdk_retries_then_every_attempt_is_throttled(
    stand_in: MarketplaceStandIn,
) -> None:
    token = stand_in.mint(LEGACY, error="ThrottlingException")
    with closing(make_client(stand_in, attempts=3)) as client:
        assert error_of(client, token) == ("ThrottlingException", 400)
    assert [call.outcome for call in stand_in.calls] == ["ThrottlingException"] * 3


def test_given_a_throttle_when_the_sdk_retries_then_it_succeeds(stand_in: MarketplaceStandIn) -> None:
    stand_in.throttle()
    with closing(make_client(stand_in, attempts=2)) as client:
        assert resolve(client, stand_in.mint(LEGACY))
    assert [call.outcome for call in stand_in.calls] == ["ThrottlingException", "OK"]


def test_given_a_closed_connection_then_the_call_fails_and_the_next_succeeds(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LEGACY)
    stand_in.close_connection()

    with pytest.raises(ConnectionClosedError):
        resolve(client, token)
    assert resolve(client, token)
    assert [call.outcome for call in stand_in.calls] == ["ConnectionClosed", "OK"]


def test_given_a_slow_response_then_it_is_right_but_late(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    stand_in.slow_down(0.2)
    started = time.monotonic()

    assert resolve(client, stand_in.mint(LEGACY))["ProductCode"] == PRODUCT_CODE
    assert time.monotonic() - started >= 0.2


def test_given_a_slow_response_when_the_client_gives_up_then_the_call_is_recorded_and_others_succeed(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LEGACY)
    stand_in.slow_down(60)

    with closing(make_client(stand_in, read_timeout=0.1)) as hasty, pytest.raises(ReadTimeoutError):
        resolve(hasty, token)
    assert resolve(client, token)
    assert len(stand_in.calls) == 2


def test_given_a_response_of_the_tests_own_then_it_is_returned_as_it_is(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    stand_in.answer({"ProductCode": PRODUCT_CODE})

    assert resolve(client, "any") == {"ProductCode": PRODUCT_CODE}
    assert stand_in.calls[0].outcome == "OK"


def test_given_several_faults_then_they_come_in_the_order_of_injection(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    stand_in.fail()
    stand_in.throttle()
    stand_in.refuse()

    codes = [error_of(client, "any-token")[0] for _ in range(3)]

    assert codes == ["InternalServiceErrorException", "ThrottlingException", "AccessDeniedException"]


def test_given_faults_when_cleared_then_calls_succeed_and_stay_recorded(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LEGACY)
    stand_in.throttle(9)
    error_of(client, token)

    stand_in.clear_faults()

    assert resolve(client, token)
    assert len(stand_in.calls) == 2


def test_given_calls_and_faults_when_reset_then_both_are_gone_and_tokens_stay(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LEGACY)
    stand_in.throttle(9)
    error_of(client, token)

    stand_in.reset()

    assert stand_in.calls == ()
    assert resolve(client, token)


def test_given_a_call_then_its_token_signer_and_region_are_recorded(stand_in: MarketplaceStandIn) -> None:
    token = stand_in.mint(LEGACY)
    with closing(make_client(stand_in, region="eu-central-1")) as client:
        resolve(client, token)

    (call,) = stand_in.calls
    assert (call.registration_token, call.access_key_id, call.region, call.outcome) == (
        token,
        "test",
        "eu-central-1",
        "OK",
    )


def test_given_no_signature_then_the_call_is_rejected_and_recorded_and_uses_up_no_fault(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    token = stand_in.mint(LEGACY)
    stand_in.throttle()

    assert post(stand_in, {"RegistrationToken": token}, authorization=None) == (
        403,
        "MissingAuthenticationTokenException",
    )
    (call,) = stand_in.calls
    assert (call.registration_token, call.access_key_id, call.region) == (token, None, None)
    assert error_of(client, token) == ("ThrottlingException", 400)


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        ("", (400, "IncompleteSignatureException")),
        ("Bearer abc", (400, "IncompleteSignatureException")),
        (CREDENTIAL, (400, "IncompleteSignatureException")),
        (
            SIGNED.replace("aws-marketplace", "dynamodb"),
            (403, "InvalidSignatureException"),
        ),
    ],
)
def test_given_a_bad_signature_then_the_call_is_rejected(
    stand_in: MarketplaceStandIn, authorization: str, error: tuple[int, str]
) -> None:
    token = stand_in.mint(LEGACY)

    assert post(stand_in, {"RegistrationToken": token}, authorization=authorization) == error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "SerializationException"),
        (b"\xff", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        ([], "SerializationException"),
        ({"RegistrationToken": 1}, "SerializationException"),
        ({}, "ValidationException"),
        ({"RegistrationToken": None}, "ValidationException"),
        ({"RegistrationToken": ""}, "ValidationException"),
    ],
)
def test_given_a_body_without_a_token_then_it_is_rejected(
    stand_in: MarketplaceStandIn, body: object, error: str
) -> None:
    assert post(stand_in, body) == (400, error)
    assert stand_in.calls[0].registration_token is None


@pytest.mark.parametrize("other", [{"target": "BatchMeterUsage"}, {"content_type": "application/json"}])
def test_given_another_operation_or_protocol_then_it_is_unknown(
    stand_in: MarketplaceStandIn, other: dict[str, str]
) -> None:
    assert post(stand_in, {}, **other) == (400, "UnknownOperationException")
    assert stand_in.calls == ()


def test_given_another_path_then_it_is_not_found(stand_in: MarketplaceStandIn) -> None:
    assert requests.get(f"{stand_in.endpoint_url}/other", timeout=10).status_code == 404
    assert requests.post(f"{stand_in.endpoint_url}/other", timeout=10).status_code == 404


def test_given_a_kept_alive_connection_then_it_serves_every_kind_of_response(stand_in: MarketplaceStandIn) -> None:
    with closing(HTTPConnection("127.0.0.1", int(stand_in.endpoint_url.rpartition(":")[2]), timeout=10)) as connection:
        connection.connect()
        used = connection.sock
        statuses = []
        for method, path in [("GET", "/"), ("GET", "/favicon.ico"), ("POST", "/"), ("GET", "/other"), ("GET", "/?a=1")]:
            connection.request(method, path, body=b"{}" if method == "POST" else None)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)

        assert statuses == [200, 204, 400, 404, 200]
        assert connection.sock is used


def test_given_a_body_of_unknown_length_then_the_connection_is_not_kept(stand_in: MarketplaceStandIn) -> None:
    response = requests.post(stand_in.endpoint_url, data=iter([b"{}"]), timeout=10)

    assert (response.status_code, response.headers["Connection"]) == (400, "close")


def test_given_many_calls_at_once_then_each_gets_its_own_response(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    customers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(200)]
    tokens = [stand_in.mint(customer) for customer in customers]
    stand_in.throttle(20)

    def license_of(token: str) -> str | None:
        try:
            return str(resolve(client, token)["LicenseArn"])
        except ClientError:
            return None

    with ThreadPoolExecutor(50) as pool:
        licenses = list(pool.map(license_of, tokens))

    assert licenses.count(None) == 20
    assert all(got in {None, customer.license_arn} for got, customer in zip(licenses, customers, strict=True))
    assert len(stand_in.calls) == 200


def test_given_an_open_connection_and_a_slow_response_when_stopped_then_it_stops_at_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    threads_before = set(threading.enumerate())
    with (
        MarketplaceStandIn() as stand_in,
        ThreadPoolExecutor(1) as pool,
        closing(make_client(stand_in)) as client,
        closing(make_client(stand_in)) as waiting,
    ):
        token = stand_in.mint(LEGACY)
        resolve(client, token)
        stand_in.slow_down(60)
        response = pool.submit(resolve, waiting, token)
        while len(stand_in.calls) < 2:
            time.sleep(0.01)

        started = time.monotonic()
        stand_in.__exit__(None, None, None)
        stopped_in = time.monotonic() - started

        assert isinstance(response.exception(timeout=5), ConnectionClosedError)
    assert stopped_in < 1
    assert set(threading.enumerate()) <= threads_before
    assert capfd.readouterr() == ("", "")


def test_given_a_client_that_hangs_up_then_nothing_is_printed(
    stand_in: MarketplaceStandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", int(stand_in.endpoint_url.rpartition(":")[2]))) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    with socket.create_connection(("127.0.0.1", int(stand_in.endpoint_url.rpartition(":")[2]))) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(1024)

    stand_in.__exit__(None, None, None)

    assert capfd.readouterr() == ("", "")


def test_given_a_stand_in_that_is_not_running_then_it_has_no_address() -> None:
    stand_in = MarketplaceStandIn()
    with pytest.raises(RuntimeError, match="with block"):
        _ = stand_in.endpoint_url
    with stand_in:
        assert stand_in.page_url == f"{stand_in.endpoint_url}/"
    with pytest.raises(RuntimeError, match="with block"):
        _ = stand_in.page_url


def test_given_a_port_when_started_again_then_it_is_the_same_address_with_the_same_tokens() -> None:
    with MarketplaceStandIn() as first:
        port = int(first.endpoint_url.rpartition(":")[2])
    stand_in = MarketplaceStandIn(port=port)
    token = stand_in.mint(LEGACY)
    for _ in range(2):
        with stand_in, closing(make_client(stand_in)) as client:
            assert stand_in.endpoint_url == f"http://127.0.0.1:{port}"
            assert resolve(client, token)


def test_given_a_running_stand_in_when_entered_again_then_it_runs_until_the_outermost_block_ends() -> None:
    with MarketplaceStandIn() as stand_in:
        url = stand_in.endpoint_url
        with stand_in:
            assert stand_in.endpoint_url == url
        with closing(make_client(stand_in)) as client:
            assert resolve(client, stand_in.mint(LICENSED))

    with pytest.raises(RuntimeError, match="outside its with block"):
        _ = stand_in.endpoint_url


def test_given_two_stand_ins_within_each_other_then_each_knows_its_own_tokens() -> None:
    with MarketplaceStandIn() as outer, MarketplaceStandIn() as inner:
        token = outer.mint(LICENSED)
        for stand_in, known in ((outer, True), (inner, False)):
            with closing(make_client(stand_in)) as client:
                if known:
                    assert resolve(client, token)
                else:
                    assert error_of(client, token) == ("InvalidTokenException", 400)


def test_given_a_port_in_use_then_entering_fails_and_a_later_block_can_start() -> None:
    with MarketplaceStandIn() as first:
        second = MarketplaceStandIn(port=int(first.endpoint_url.rpartition(":")[2]))
        with pytest.raises(OSError, match="in use"), second:
            pass

    with second:
        assert second.endpoint_url


def test_given_published_offers_then_each_has_a_button_whose_fields_are_the_buyers_form(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    stand_in.publish(
        fulfillment_url=FULFILLMENT_URL,
        offers=[
            MarketplaceOffer(label="A <b>legacy</b> & loyal customer", customer=LEGACY),
            MarketplaceOffer(label="A free trial", customer=LICENSED, free_trial=True),
        ],
    )

    page = load_page(stand_in)

    assert "Simulated AWS Marketplace" in page.text
    assert "A <b>legacy</b> & loyal customer" in page.text
    assert not {"b", "script"} & set(page.tags)
    assert [form.action for form in page.forms] == [FULFILLMENT_URL, FULFILLMENT_URL]
    assert [form.button for form in page.forms] == ["Set up your account"] * 2
    tokens = [form.fields.pop("x-amzn-marketplace-token") for form in page.forms]
    assert [form.fields for form in page.forms] == [{}, {"x-amzn-marketplace-offer-type": "free-trial"}]
    accounts = [resolve(client, token)["CustomerAWSAccountId"] for token in tokens]
    assert accounts == [LEGACY.customer_aws_account_id, LICENSED.customer_aws_account_id]


def test_given_an_offer_with_an_error_then_its_button_gets_it_however_often_the_page_is_loaded(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    offers = [
        MarketplaceOffer(label="Good", customer=LEGACY, description="Expect <b>303</b>"),
        MarketplaceOffer(label="Late", customer=LICENSED, error="ExpiredTokenException"),
    ]
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=offers)

    for _ in range(2):
        page = load_page(stand_in)

        good, late = (form.fields["x-amzn-marketplace-token"] for form in page.forms)
        assert error_of(client, late) == ("ExpiredTokenException", 400)
        assert resolve(client, good)["CustomerAWSAccountId"] == LEGACY.customer_aws_account_id
        assert "Expect <b>303</b>" in page.text
        assert "b" not in page.tags
        assert "ExpiredTokenException" in page.text
        # ResolveCustomer returns no buyer.
        assert LICENSED.customer_aws_account_id not in page.text


def press(stand_in: MarketplaceStandIn, step: str, offer: int = 1, **quantities: int) -> requests.Response:
    fields = {"offer": str(offer), "step": step, **{f"quantity-{name}": str(n) for name, n in quantities.items()}}
    return requests.post(f"{stand_in.endpoint_url}/step", data=fields, allow_redirects=False, timeout=10)


def steps(stand_in: MarketplaceStandIn) -> list[list[str]]:
    forms = requests.get(stand_in.page_url, timeout=10).text.split('<form method="post" action="/step"')[1:]
    return [re.findall(r'name="step" value="(\w+)"', form.partition("</form>")[0]) for form in forms]


def test_given_a_delivery_then_the_buttons_of_each_offer_deliver_the_events_of_its_next_steps(
    stand_in: MarketplaceStandIn, client: "MarketplaceMeteringClient"
) -> None:
    delivered: list[dict[str, Any]] = []
    offers = [
        MarketplaceOffer(label="One", customer=LICENSED, entitlements={"users": 10}),
        MarketplaceOffer(label="Paid by usage", customer=LEGACY),
        MarketplaceOffer(label="Late", customer=LICENSED, error="ExpiredTokenException"),
    ]
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=offers, deliver=delivered.append)
    assert steps(stand_in) == [["subscribe"], ["subscribe"]]

    response = press(stand_in, "subscribe", users=10)
    press(stand_in, "subscribe", offer=2)
    assert (response.status_code, response.headers["Location"]) == (303, "/#offer-1")
    assert steps(stand_in) == [["change", "cancel"], ["cancel"]]
    press(stand_in, "change", users=25)
    assert 'name="quantity-users" value="25"' in requests.get(stand_in.page_url, timeout=10).text
    press(stand_in, "cancel")
    assert steps(stand_in) == [["resubscribe"], ["cancel"]]
    press(stand_in, "resubscribe", users=30)

    accounts = [event["detail"]["acceptor"]["accountId"] for event in delivered]
    assert accounts == [
        {1: LICENSED, 2: LEGACY}[offer].customer_aws_account_id for offer in (1, 1, 2, 2, 1, 1, 1, 1, 1, 1)
    ]
    assert [event["detail-type"].partition(" - ")[0] for event in delivered if event["detail-type"][0] == "L"] == [
        "License Updated",
        "License Updated",
        "License Updated",
        "License Deprovisioned",
        "License Updated",
    ]
    agreement = resolve(client, stand_in.mint(LICENSED))["Metadata"]["AgreementId"]
    assert agreement == delivered[-1]["detail"]["agreement"]["id"]


def test_given_no_delivery_then_the_page_has_no_buttons_for_it(stand_in: MarketplaceStandIn) -> None:
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=[MarketplaceOffer(label="One", customer=LICENSED)])

    assert steps(stand_in) == []


def test_given_a_step_that_another_window_took_or_that_is_none_then_nothing_is_delivered(
    stand_in: MarketplaceStandIn,
) -> None:
    delivered: list[dict[str, Any]] = []
    offer = MarketplaceOffer(label="One", customer=LICENSED, entitlements={"users": 10})
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=[offer], deliver=delivered.append)

    for response in (
        press(stand_in, "cancel", users=1),
        press(stand_in, "renew", users=1),
        press(stand_in, "subscribe"),
        press(stand_in, "subscribe", offer=2, users=1),
        press(stand_in, "subscribe", offer=0, users=1),
        requests.post(f"{stand_in.endpoint_url}/step", data=b"\xff", timeout=10),
    ):
        assert response.status_code == 409
        assert "reload the page" in response.text
    assert delivered == []


def test_given_a_delivery_that_fails_then_the_page_says_so(stand_in: MarketplaceStandIn) -> None:
    def fail(event: dict[str, Any]) -> None:
        raise RuntimeError(f"no queue for {event['detail-type']}")

    offer = MarketplaceOffer(label="One", customer=LICENSED)
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=[offer], deliver=fail)

    response = press(stand_in, "subscribe")

    assert response.status_code == 502
    assert "no queue for Purchase Agreement Created - Proposer" in response.text


def test_given_a_page_when_loaded_again_then_its_tokens_are_fresh(stand_in: MarketplaceStandIn) -> None:
    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=[MarketplaceOffer(label="One", customer=LEGACY)])

    tokens = {load_page(stand_in).forms[0].fields["x-amzn-marketplace-token"] for _ in range(2)}

    assert len(tokens) == 2


def test_given_nothing_published_then_the_page_says_what_to_do(stand_in: MarketplaceStandIn) -> None:
    assert "There is no fulfillment URL yet." in load_page(stand_in).text

    stand_in.publish(fulfillment_url=FULFILLMENT_URL, offers=[])

    page = load_page(stand_in)
    assert "There is no offer yet." in page.text
    assert not page.forms


def test_given_a_url_that_no_form_can_post_to_then_it_is_rejected(stand_in: MarketplaceStandIn) -> None:
    with pytest.raises(ValueError, match="'javascript:alert"):
        stand_in.publish(fulfillment_url="javascript:alert(1)", offers=[])


@pytest.mark.parametrize("region", ["us-esat-1", "us-gov-west-1", "x"])
def test_given_a_region_without_resolve_customer_then_the_call_is_rejected_and_uses_up_no_fault(
    stand_in: MarketplaceStandIn, region: str
) -> None:
    stand_in.throttle()
    with closing(make_client(stand_in, region=region)) as client:
        assert error_of(client, stand_in.mint(LICENSED)) == ("InvalidSignatureException", 403)

    assert [call.region for call in stand_in.calls] == [region]
    with closing(make_client(stand_in, attempts=2)) as client:
        assert resolve(client, stand_in.mint(LICENSED))
    assert [call.outcome for call in stand_in.calls][1:] == ["ThrottlingException", "OK"]


@pytest.mark.parametrize("region", sorted(MARKETPLACE_REGIONS))
def test_given_a_region_with_resolve_customer_then_the_call_succeeds(stand_in: MarketplaceStandIn, region: str) -> None:
    with closing(make_client(stand_in, region=region)) as client:
        assert resolve(client, stand_in.mint(LICENSED))
