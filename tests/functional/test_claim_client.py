"""The claim client against the claim stand-in, and against servers that misbehave."""

from __future__ import annotations

import contextvars
import socket
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NotRequired, Self, get_origin, get_type_hints

import boto3
import botocore.session
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, CredentialRetrievalError

from constructs_lib import claims as public
from constructs_lib.claims import (
    ClaimClient,
    ClaimConfigurationError,
    ClaimDeniedError,
    ClaimError,
    ClaimRejectedError,
    ClaimRequestError,
    ClaimUnavailableError,
    Entitlement,
    Registration,
    claim_client,
)
from constructs_lib.testing import ClaimStandIn, MarketplaceCustomer
from local.product import PRODUCT_CODE
from resolver import registration as resolver_registration
from sdk import registrations
from tests.signatures import is_valid, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CUSTOMER = MarketplaceCustomer.licensed(PRODUCT_CODE)
CODE = "C0dE" + "x" * 39
KEY = "K3y-of-the-claimant"
REGISTERED = b'{"CustomerAWSAccountId": "111122223333"}'


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_client, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def claims() -> Iterator[ClaimStandIn]:
    with ClaimStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def client(claims: ClaimStandIn) -> Iterator[ClaimClient]:
    with ClaimClient(claims.claim_url) as client:
        yield client


class Server:
    """Sends the next of the prepared responses on each connection."""

    def __init__(self, *responses: bytes | Callable[[socket.socket], None]) -> None:
        self._responses = list(responses)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/claim"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request or not (b'"}' in request or request.startswith(b"CONNECT")):
            request += connection.recv(65536)
        self.requests.append(request)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        with suppress(OSError):
            if callable(response):
                response(connection)
            else:
                connection.sendall(response)
                connection.close()


def response(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    with pytest.raises(ClaimUnavailableError):
        call()
    return time.monotonic() - start


# --- The claim.


def test_a_claim_returns_the_registration(claims: ClaimStandIn, client: ClaimClient) -> None:
    registration = client.claim(claims.mint(CUSTOMER, free_trial=True))

    assert registration["CustomerAWSAccountId"] == CUSTOMER.customer_aws_account_id
    assert registration.get("LicenseArn") == CUSTOMER.license_arn
    assert registration.get("OfferType") == "free-trial"


def test_the_registration_has_the_members_that_the_resolver_returns() -> None:
    known = {"Entitlement": registrations.Entitlement}
    ours, resolvers = (
        {
            name: get_origin(hint) is NotRequired
            for name, hint in get_type_hints(kind, None, known, include_extras=True).items()
        }
        for kind in (Registration, resolver_registration.Claim)
    )

    assert ours == resolvers
    assert Entitlement.__annotations__.keys() == registrations.Entitlement.__annotations__.keys()


def test_a_used_code_is_rejected_with_its_reference(claims: ClaimStandIn, client: ClaimClient) -> None:
    code = claims.mint(CUSTOMER)
    client.claim(code)

    with pytest.raises(
        ClaimRejectedError, match=r"unknown, used or expired \(404 claim_refused, reference .+=\)"
    ) as no:
        client.claim(code)

    assert no.value.status == 404
    assert no.value.reference
    assert no.value.reference in str(no.value)


def test_an_expired_code_is_rejected(claims: ClaimStandIn, client: ClaimClient) -> None:
    code = claims.mint(CUSTOMER)
    claims.clock.advance(timedelta(minutes=11))

    with pytest.raises(ClaimRejectedError):
        client.claim(code)


def test_a_role_without_the_grant_is_denied_and_the_code_stays_valid(claims: ClaimStandIn, client: ClaimClient) -> None:
    code = claims.mint(CUSTOMER)
    claims.deny()

    with pytest.raises(ClaimDeniedError, match=r"grant_claim.*region eu-west-1.*\(403, reference .+=\)"):
        client.claim(code)

    assert client.claim(code)


def test_another_region_is_denied() -> None:
    with ClaimStandIn(region="us-east-2") as claims:
        code = claims.mint(CUSTOMER)
        with ClaimClient(claims.claim_url) as client, pytest.raises(ClaimDeniedError):
            client.claim(code)
        with ClaimClient(claims.claim_url, region="us-east-2") as client:
            assert client.claim(code)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (301, b""),
        (400, b'{"outcome": "bad_request", "reference": "abc"}'),
        (404, b'{"message":"Not Found"}'),
        (404, b"<html>"),
        (413, b"{}"),
        (415, b"[]"),
    ],
)
def test_a_wrong_request_is_not_retried(status: int, body: bytes) -> None:
    with Server(response(status, body, Location="https://example.com/")) as server, ClaimClient(server.url) as client:
        with pytest.raises(ClaimRequestError, match=f"{status}") as wrong:
            client.claim(CODE)
        assert len(server.requests) == 1

    assert wrong.value.status == status
    assert wrong.value.reference == ("abc" if status == 400 else None)


# --- The request.


def test_a_request_is_signed_and_has_a_key_of_its_own() -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret", "session-token")
    with Server(response(200, REGISTERED)) as server, ClaimClient(server.url, session=session) as client:
        client.claim(CODE)
        client.claim(CODE)

    keys = set()
    for request in server.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert line == "POST /claim HTTP/1.1"
        assert body == b'{"registration_code": "%s"}' % CODE.encode()
        assert headers["content-type"] == "application/json"
        assert headers["x-amz-security-token"] == "session-token"
        keys.add(str(uuid.UUID(headers["idempotency-key"])))
        assert {"host", "x-amz-date", "x-amz-security-token"} <= signed_headers(headers)
        credentials = Credentials("AKIDEXAMPLE", "secret", "session-token")
        assert is_valid(headers, method="POST", url=server.url, body=body, credentials=credentials, region="eu-west-1")
    assert len(keys) == 2


def test_the_callers_key_is_sent(claims: ClaimStandIn, client: ClaimClient) -> None:
    code = claims.mint(CUSTOMER)

    first = client.claim(code, idempotency_key=KEY)

    assert client.claim(code, idempotency_key=KEY) == first
    assert [call.idempotency_key for call in claims.calls] == [KEY, KEY]


@pytest.mark.parametrize("key", ["key\r\nX: y", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_an_error(claims: ClaimStandIn, client: ClaimClient, key: str) -> None:
    with pytest.raises(ClaimRequestError, match=r"^idempotency_key: ") as wrong:
        client.claim(CODE, idempotency_key=key)

    assert key not in str(wrong.value)
    assert not claims.calls


def test_claims_from_threads_reuse_connections() -> None:
    connections: set[int] = set()

    def serve(connection: socket.socket) -> None:
        request = b""
        while True:
            connections.add(connection.fileno())
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(REGISTERED), REGISTERED))
            request = b""
            while b'"}' not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece

    with Server(serve) as server, ClaimClient(server.url) as client:
        for _ in range(3):
            client.claim(CODE)
        assert len(connections) == 1
        with ThreadPoolExecutor(8) as threads:
            assert len(list(threads.map(client.claim, [CODE] * 40))) == 40
        assert len(connections) <= 9


# --- Retries.


@pytest.mark.parametrize("fault", ["throttle", "close_connection"])
def test_a_claim_is_retried_as_the_same_claimant(claims: ClaimStandIn, client: ClaimClient, fault: str) -> None:
    getattr(claims, fault)(2)

    assert client.claim(claims.mint(CUSTOMER))

    assert len(claims.calls) == 3
    assert len({call.idempotency_key for call in claims.calls}) == 1


@pytest.mark.parametrize(
    "first",
    [
        response(429),
        response(500),
        response(502, b"<html>"),
        response(503),
        response(504),
        response(200, b"<html>"),
        response(200, b"[]"),
        response(200, b'{"another": "service"}'),
        response(200, b"[" * 100_000),
        response(200, REGISTERED)[:-1],
        response(404, b'{"outcome": "claim_refused"}')[:-1],
        response(200, REGISTERED).replace(b"Content-Length: ", b"Content-Length: x"),
        b"",
        b"not HTTP\r\n\r\n",
    ],
)
def test_whatever_is_not_final_is_retried(first: bytes) -> None:
    with Server(first, response(200, REGISTERED)) as server, ClaimClient(server.url) as client:
        assert client.claim(CODE)["CustomerAWSAccountId"] == "111122223333"
        assert len(server.requests) == 2


def test_each_attempt_is_signed_again(claims: ClaimStandIn) -> None:
    class Rotating:
        keys = iter(("FIRST", "SECOND"))

        def get_credentials(self) -> Credentials:
            return Credentials(next(self.keys), "secret")

    claims.throttle()
    with ClaimClient(claims.claim_url, session=Rotating()) as client:
        client.claim(claims.mint(CUSTOMER))

    assert [call.access_key_id for call in claims.calls] == ["FIRST", "SECOND"]


def test_a_pause_is_as_long_as_the_response_asks_for(claims: ClaimStandIn, client: ClaimClient) -> None:
    claims.fail(retry_after=1)
    start = time.monotonic()

    assert client.claim(claims.mint(CUSTOMER))

    assert 1 <= time.monotonic() - start < 4


@pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", ""])
def test_another_retry_after_is_not_read(retry_after: str) -> None:
    first = response(503, Retry_After=retry_after)
    with Server(first, response(200, REGISTERED)) as server, ClaimClient(server.url) as client:
        assert client.claim(CODE)


def test_pauses_grow_and_differ(claims: ClaimStandIn, client: ClaimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("constructs_lib.claims.claim_client.time.sleep", pauses.append)
    monkeypatch.setattr(claim_client, "_FIRST_PAUSE", 0.25)
    claims.throttle(6)

    client.claim(claims.mint(CUSTOMER))

    for pause, longest in zip(pauses, (0.25, 0.5, 1, 2, 4, 4), strict=True):
        assert longest / 2 <= pause <= longest
    assert len({*pauses}) == 6


# --- The deadline.


def hang(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1)


def drip_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("behavior", [hang, drip_head, drip_body])
def test_one_deadline_bounds_all_attempts(behavior: Callable[[socket.socket], None]) -> None:
    with Server(behavior) as server, ClaimClient(server.url, timeout=0.5) as client:
        assert 0.4 < seconds(lambda: client.claim(CODE)) < 3


def test_a_slow_body_does_not_occupy_a_thread_after_the_deadline() -> None:
    with Server(drip_body) as server, ClaimClient(server.url, timeout=0.3) as client:
        seconds(lambda: client.claim(CODE))
        for thread in threading.enumerate():
            if thread.name == "claim":
                thread.join(1)
                assert not thread.is_alive()


def test_a_hanging_attempt_leaves_time_for_another(claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_client, "_ATTEMPT_SECONDS", 0.2)
    claims.slow_down(5)

    with ClaimClient(claims.claim_url) as client:
        assert client.claim(claims.mint(CUSTOMER))

    assert len(claims.calls) == 2


def test_a_slow_credential_provider_is_bounded_too(claims: ClaimStandIn) -> None:
    class Slow:
        def get_credentials(self) -> None:
            time.sleep(5)

    with ClaimClient(claims.claim_url, session=Slow(), timeout=0.2) as client:
        assert seconds(lambda: client.claim(CODE)) < 3


def test_a_pause_beyond_the_deadline_is_not_waited_for(claims: ClaimStandIn) -> None:
    claims.fail(retry_after=60)
    with ClaimClient(claims.claim_url) as client:
        assert seconds(lambda: client.claim(claims.mint(CUSTOMER))) < 5


def test_the_last_response_is_in_the_error(claims: ClaimStandIn) -> None:
    claims.fail(retry_after=9)
    with (
        ClaimClient(claims.claim_url, timeout=1) as client,
        pytest.raises(ClaimUnavailableError, match=r"within 1 s \(503 store_unavailable, reference ") as unavailable,
    ):
        client.claim(CODE)

    assert unavailable.value.status == 503
    assert unavailable.value.reference


def test_a_refused_connection_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_client, "_FIRST_PAUSE", 10)
    # Bound, but not listening: no other process can take the port.
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            ClaimClient(f"http://127.0.0.1:{unused.getsockname()[1]}/claim", timeout=5) as client,
            pytest.raises(ClaimUnavailableError, match=r"within 5 s \(EndpointConnectionError\)$") as unavailable,
        ):
            client.claim(CODE)

    assert (unavailable.value.status, unavailable.value.reference) == (None, None)


def test_the_default_deadline_is_below_those_of_load_balancers(claims: ClaimStandIn) -> None:
    with ClaimClient(claims.claim_url) as client:
        assert client._timeout < 25


# --- Configuration.


def test_without_credentials_the_error_says_so(claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    with ClaimClient(claims.claim_url) as client, pytest.raises(ClaimConfigurationError, match=r"^credentials: none"):
        client.claim(CODE)

    assert not claims.calls


@pytest.mark.parametrize(
    "error",
    [
        CredentialRetrievalError(provider="test", error_msg=CODE),
        ClientError({"Error": {"Code": "ExpiredToken", "Message": CODE}}, "AssumeRole"),
        OSError(CODE),
    ],
)
def test_credentials_that_cannot_be_loaded_are_an_error_without_their_text(
    claims: ClaimStandIn, error: Exception
) -> None:
    class Failing:
        def get_credentials(self) -> None:
            raise error

    with (
        ClaimClient(claims.claim_url, session=Failing()) as client,
        pytest.raises(ClaimConfigurationError, match=rf"could not be loaded: {type(error).__name__}$"),
    ):
        client.claim(CODE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/claim",
        "claim",
        "http://api.example.com/claim",
        "ftp://127.0.0.1/claim",
        "https:///claim",
        "https://[/claim",
        "https://api.example.com/register",
        "https://api.example.com/",
        f"https://app.example.com/signup?registration_code={CODE}",
        f"https://api.example.com/claim?registration_code={CODE}",
    ],
)
def test_a_url_that_is_not_the_claim_url_is_an_error(url: str) -> None:
    with pytest.raises(ClaimConfigurationError, match=r"^claim_url: must be ") as wrong:
        ClaimClient(url)

    assert CODE not in str(wrong.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_must_be_positive(timeout: float) -> None:
    with pytest.raises(ClaimConfigurationError, match=r"^timeout: "):
        ClaimClient("https://api.example.com/claim", timeout=timeout)


def region(url: str, **options: Any) -> str:
    with ClaimClient(url, **options) as client:
        return client._region


def test_the_region_is_read_from_an_execute_api_url() -> None:
    for host, expected in {
        "abc123.execute-api.us-east-1.amazonaws.com": "us-east-1",
        "abc123.execute-api.us-gov-west-1.amazonaws.com": "us-gov-west-1",
        "abc123.execute-api.cn-northwest-1.amazonaws.com.cn": "cn-northwest-1",
        "abc123-vpce-1.execute-api.ap-southeast-2.vpce.amazonaws.com": "ap-southeast-2",
        # The region of the environment.
        "claims.example.com": "eu-west-1",
        "my-execute-api.us-east-1.example.com": "eu-west-1",
    }.items():
        assert region(f"https://{host}/claim") == expected


def test_the_argument_then_the_session_then_the_environment_has_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://claims.example.com/claim"
    execute_api = "https://abc123.execute-api.us-east-1.amazonaws.com/claim"
    session = botocore.session.Session(session_vars={"region": (None, None, "eu-north-1", None)})

    assert region(execute_api, region="ca-central-1") == "ca-central-1"
    assert region(url, session=session) == "eu-north-1"
    assert region(url, session=boto3.Session(region_name="eu-south-1")) == "eu-south-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert region(url) == "eu-west-3"
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ClaimConfigurationError, match=r"^region: none was found"):
        region(url)


def test_a_profile_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)

    with pytest.raises(ClaimConfigurationError, match="ProfileNotFound"):
        ClaimClient("https://claims.example.com/claim")


def test_a_session_of_boto3_claims(claims: ClaimStandIn) -> None:
    session = boto3.Session(aws_access_key_id="AKIDBOTO3", aws_secret_access_key="x", region_name="us-west-2")

    with ClaimClient(claims.claim_url, session=session) as client:
        assert client.claim(claims.mint(CUSTOMER))

    assert [(call.access_key_id, call.region) for call in claims.calls] == [("AKIDBOTO3", "us-west-2")]


def test_the_environments_proxy_is_used_except_for_this_machine(
    claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_client, "_FIRST_PAUSE", 10)
    with Server(response(502)) as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        with (
            ClaimClient("https://claims.example.com/claim", timeout=5) as client,
            pytest.raises(ClaimUnavailableError, match="ProxyConnectionError"),
        ):
            client.claim(CODE)
        with ClaimClient(claims.claim_url) as client:
            assert client.claim(claims.mint(CUSTOMER))

    assert proxy.requests
    assert all(request.startswith(b"CONNECT claims.example.com:443 ") for request in proxy.requests)


def test_context_variables_reach_the_attempt(claims: ClaimStandIn) -> None:
    trace = contextvars.ContextVar("trace", default="none")
    seen = []

    class Traced:
        def get_credentials(self) -> Credentials:
            seen.append(trace.get())
            return Credentials("test", "test")

    with ClaimClient(claims.claim_url, session=Traced()) as client:
        trace.set("request-1")
        client.claim(claims.mint(CUSTOMER))

    assert seen == ["request-1"]


# --- Secrets.


def failures(claims: ClaimStandIn) -> Iterator[tuple[str, ClaimClient]]:
    with ClaimClient(claims.claim_url, timeout=0.5) as client:
        yield CODE, client
        claims.deny()
        yield CODE, client
        claims.close_connection(100)
        yield CODE, client
        claims.reset()
        yield CODE + "\x00", client
        yield CODE * 200, client
    for behavior in (b"", hang, drip_body, response(200, REGISTERED)[:-1], response(503), response(302)):
        with Server(behavior) as server, ClaimClient(server.url, timeout=0.3) as client:
            yield CODE, client


def test_no_error_contains_the_code_or_the_key(claims: ClaimStandIn) -> None:
    kinds = set()
    for code, client in failures(claims):
        with pytest.raises(ClaimError) as failure:
            client.claim(code, idempotency_key=KEY)
        error = failure.value
        kinds.add(type(error))
        # Every error that a report of it could show.
        chain: list[BaseException] = [error]
        while following := chain[-1].__cause__ or chain[-1].__context__:
            chain.append(following)
        shown = "".join(f"{one}{one!r}{vars(one)}{one.args}" for one in chain)
        shown += "".join(traceback.format_exception_only(error)) + repr(client) + str(vars(client))
        assert CODE not in shown
        assert KEY not in shown
    assert kinds == {ClaimRejectedError, ClaimDeniedError, ClaimUnavailableError, ClaimRequestError}


def test_every_error_of_a_claim_has_the_same_base() -> None:
    errors = [getattr(public, name) for name in public.__all__ if name.endswith("Error")]

    assert all(issubclass(error, ClaimError) for error in errors)
