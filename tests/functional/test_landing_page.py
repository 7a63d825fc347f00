from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import threading
from html import escape
from typing import TYPE_CHECKING, Any, cast

import pytest
import requests

from constructs_lib.claims import (
    ClaimConfigurationError,
    ClaimDeniedError,
    ClaimError,
    ClaimRejectedError,
    ClaimRequestError,
    ClaimUnavailableError,
)
from local.landing_page import LandingPage
from local.local_aws import PortError, write_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from constructs_lib.claims import Registration

CODE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
LICENSED = {
    "CustomerAWSAccountId": "111122223333",
    "ProductCode": "a290sds6en72spp3ph4q890es",
    "LicenseArn": "arn:aws:license-manager::444455556666:license:l-1",
    "AgreementId": "agmt-1",
    "RegisteredAt": "2026-11-23T12:00:00.000000+00:00",
    "LastRegisteredAt": "2026-11-23T12:00:00.000000+00:00",
}


class Backend:
    def __init__(self) -> None:
        self.claimed: list[str] = []
        self.registration: dict[str, Any] = LICENSED
        self.error: ClaimError | None = None

    def __call__(self, code: str) -> Registration:
        self.claimed.append(code)
        if self.error:
            raise self.error
        return cast("Registration", self.registration)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "server.crt", folder / "server.key"
    write_certificate(certificate, key)
    return certificate, key


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def landing_page(backend: Backend, certificate: tuple[Path, Path]) -> Iterator[LandingPage]:
    with LandingPage() as page:
        page.start(claim=backend, certificate=certificate[0], key=certificate[1])
        yield page


@pytest.fixture
def url(landing_page: LandingPage) -> str:
    return landing_page.url


@pytest.fixture
def browser(certificate: tuple[Path, Path]) -> Iterator[requests.Session]:
    with new_browser(certificate[0]) as session:
        yield session


def new_browser(certificate: Path) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificate)
    return session


def arrive(browser: requests.Session, url: str, code: str = CODE) -> requests.Response:
    return browser.get(url, params={"registration_code": code}, timeout=10)


def heading(response: requests.Response) -> str:
    (text,) = re.findall(r"<h1>(.*?)</h1>", response.text)
    assert isinstance(text, str)
    assert f"<title>{text}</title>" in response.text
    return text


def facts(response: requests.Response) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", response.text))


def test_the_page_shows_the_registration_and_removes_the_code_from_the_address(
    browser: requests.Session, url: str, backend: Backend
) -> None:
    response = arrive(browser, url)

    assert backend.claimed == [CODE]
    assert [(step.status_code, step.headers["Location"]) for step in response.history] == [(303, "/signup")]
    assert response.url == url
    assert (response.status_code, heading(response)) == (200, "Create your account")
    assert facts(response) == {
        "AWS account": "111122223333",
        "Product code": "a290sds6en72spp3ph4q890es",
        "License": "arn:aws:license-manager::444455556666:license:l-1",
        "Agreement": "agmt-1",
    }
    assert '<label for="email">' in response.text
    assert '<input id="email" name="email" type="email"' in response.text
    assert "support" in response.text
    assert "Log in" in response.text


def test_a_customer_identifier_and_a_free_trial_are_shown(
    browser: requests.Session, url: str, backend: Backend
) -> None:
    backend.registration = {
        "CustomerAWSAccountId": "111122223333",
        "ProductCode": "a290sds6en72spp3ph4q890es",
        "CustomerIdentifier": "ifAPi5AcF3",
        "OfferType": "free-trial",
    }

    assert facts(arrive(browser, url)) == {
        "AWS account": "111122223333",
        "Customer identifier": "ifAPi5AcF3",
        "Product code": "a290sds6en72spp3ph4q890es",
        "Offer type": "free-trial",
    }


def access(response: requests.Response) -> str:
    (text,) = re.findall(r'<p id="access">(.*?)</p>', response.text, re.DOTALL)
    assert isinstance(text, str)
    return re.sub(r"<.*?>", "", text)


BEING_ACTIVATED = "Your subscription is being activated. We send an email when it is active. Check again"
ACTIVE = {"LicenseStatus": "ACTIVE", "Entitlements": [{"Dimension": "users", "Value": {"IntegerValue": 10}}]}
ENDED = {"LicenseStatus": "DEPROVISIONED"}


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({}, BEING_ACTIVATED),
        ({"LicenseStatus": "ACTIVE"}, "Your subscription is active."),
        (ACTIVE, "Your subscription is active: 10 users."),
        (ENDED, "Your subscription has ended. You can subscribe again on AWS Marketplace."),
    ],
)
def test_the_page_says_what_the_claim_tells_of_the_license(
    browser: requests.Session, url: str, backend: Backend, told: dict[str, Any], text: str
) -> None:
    backend.registration = {**LICENSED, **told}

    assert access(arrive(browser, url)) == text


def test_the_page_says_being_activated_until_the_seller_is_told_that_the_license_is_active(
    browser: requests.Session, url: str, landing_page: LandingPage
) -> None:
    def tell(revision: int, license_: dict[str, Any], **other: str) -> None:
        registration = {**LICENSED, **license_, **other}
        landing_page.tell({"detail": {"revision": revision, "registration": registration}})

    assert access(arrive(browser, url)) == BEING_ACTIVATED
    tell(5, ACTIVE, LicenseArn="arn:aws:license-manager::444455556666:license:l-2")
    tell(5, ACTIVE, CustomerAWSAccountId="999988887777")
    assert access(browser.get(url, timeout=10)) == BEING_ACTIVATED

    tell(5, ACTIVE)
    assert access(browser.get(url, timeout=10)) == "Your subscription is active: 10 users."
    tell(9, ENDED)
    # In any order.
    tell(5, ACTIVE)
    assert access(browser.get(url, timeout=10)).startswith("Your subscription has ended.")


def test_the_cookie_holds_only_an_unguessable_session_id(browser: requests.Session, url: str) -> None:
    cookie = arrive(browser, url).history[0].headers["Set-Cookie"]

    assert re.fullmatch(r"sign-up-session=[\w-]{43}; Path=/signup; HttpOnly; Secure; SameSite=Lax", cookie)
    assert CODE not in cookie


def test_every_claim_starts_a_new_session(browser: requests.Session, url: str, backend: Backend) -> None:
    arrive(browser, url)
    first = browser.cookies["sign-up-session"]
    backend.registration = {**LICENSED, "CustomerAWSAccountId": "999988887777"}
    arrive(browser, url, "another")
    assert browser.cookies["sign-up-session"] != first

    assert facts(browser.get(url, timeout=10))["AWS account"] == "999988887777"
    browser.cookies.clear()
    again = browser.get(url, headers={"Cookie": f'a,b; c; d="; sign-up-session={first}'}, timeout=10)
    assert facts(again)["AWS account"] == "111122223333"


def test_the_page_escapes_the_registration(browser: requests.Session, url: str, backend: Backend) -> None:
    hostile = "</dd><script>alert(1)</script>'\"&"
    backend.registration = {**LICENSED, "AgreementId": hostile}
    response = arrive(browser, url)

    assert facts(response)["Agreement"] == escape(hostile)
    assert "<script" not in response.text


def test_another_browser_sees_no_registration(
    browser: requests.Session, url: str, certificate: tuple[Path, Path], backend: Backend
) -> None:
    arrive(browser, url)

    with new_browser(certificate[0]) as other:
        for cookie in ("", "sign-up-session=", "sign-up-session=guessed"):
            response = other.get(url, headers={"Cookie": cookie}, timeout=10)
            assert (response.status_code, facts(response)) == (200, {})
            assert "AWS Marketplace" in response.text
            assert "<form" not in response.text
    assert backend.claimed == [CODE]


def test_an_empty_code_is_not_claimed(browser: requests.Session, url: str, backend: Backend) -> None:
    assert facts(arrive(browser, url, "")) == {}
    assert backend.claimed == []


def test_a_rejected_code_gets_a_page_that_says_so(browser: requests.Session, url: str, backend: Backend) -> None:
    backend.error = ClaimRejectedError("no such code")
    response = arrive(browser, url, "<b>used</b>")

    assert backend.claimed == ["<b>used</b>"]
    assert (response.status_code, heading(response)) == (404, "This registration cannot be used")
    assert "Set up your account" in response.text
    assert "used</b>" not in response.text
    assert not browser.cookies


@pytest.mark.parametrize("kind", [ClaimConfigurationError, ClaimDeniedError, ClaimRequestError, ClaimUnavailableError])
def test_after_a_failed_claim_the_buyer_can_reload_the_page(
    browser: requests.Session, url: str, backend: Backend, kind: type[ClaimError]
) -> None:
    backend.error = kind("no connection")
    response = arrive(browser, url)
    assert (response.status_code, heading(response)) == (503, "Your registration could not be read")
    assert "no connection" not in response.text

    backend.error = None
    assert facts(browser.get(response.url, timeout=10))["AWS account"] == "111122223333"


def test_the_form_is_acknowledged(browser: requests.Session, url: str) -> None:
    arrive(browser, url)
    response = browser.post(url, data={"email": "me@example.com"}, timeout=10)

    assert (response.status_code, heading(response)) == (200, "Thank you")
    assert "me@example.com" not in response.text


def test_a_form_without_a_session_is_rejected(browser: requests.Session, url: str) -> None:
    response = browser.post(url, data={"email": "me@example.com"}, timeout=10)

    assert (response.status_code, heading(response)) == (403, "Your sign-up session has ended")


def test_the_only_other_page_is_the_login(browser: requests.Session, url: str) -> None:
    assert heading(browser.get(url.replace("/signup", "/login"), timeout=10)) == "Log in"
    for response in (
        browser.get(url.replace("/signup", "/"), timeout=10),
        browser.get(url + "/more", timeout=10),
        browser.post(url.replace("/signup", "/login"), timeout=10),
    ):
        assert (response.status_code, heading(response)) == (404, "Page not found")


def test_every_response_is_kept_from_caches_frames_and_other_sites(
    browser: requests.Session, url: str, backend: Backend
) -> None:
    registered = arrive(browser, url)
    thanks = browser.post(url, timeout=10)
    backend.error = ClaimRejectedError("no such code")
    responses = [
        *registered.history,
        registered,
        thanks,
        arrive(browser, url),
        browser.get(url.replace("/signup", "/"), timeout=10),
    ]

    for response in responses:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= {*policy}
        for style in re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}'" in policy
        assert not re.search(r"<script|\sstyle=|\son\w+=", response.text)


def test_the_server_prints_no_code(browser: requests.Session, url: str, capfd: pytest.CaptureFixture[str]) -> None:
    arrive(browser, url)

    assert capfd.readouterr() == ("", "")


def test_a_browser_that_does_not_trust_the_certificate_disturbs_no_other(
    browser: requests.Session, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    address = ("127.0.0.1", port(url))
    with (
        socket.create_connection(address) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(connection, server_hostname="127.0.0.1")
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /signup HTTP/1.1\r\n\r\n")
    with socket.create_connection(address):
        assert arrive(browser, url).status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_request_before_the_start_waits(
    browser: requests.Session, backend: Backend, certificate: tuple[Path, Path]
) -> None:
    responses: list[requests.Response] = []
    with LandingPage() as page:
        early = threading.Thread(target=lambda: responses.append(arrive(browser, page.url)))
        early.start()
        early.join(0.1)
        assert not responses
        page.start(claim=backend, certificate=certificate[0], key=certificate[1])
        early.join(10)
    assert [response.status_code for response in responses] == [200]


def test_the_page_listens_on_the_given_port_and_names_it_if_it_is_in_use() -> None:
    with (
        LandingPage() as first,
        pytest.raises(PortError, match=f"^cannot listen on port {port(first.url)} of 127.0.0.1"),
    ):
        LandingPage(port(first.url))

    with LandingPage(port(first.url)) as second:
        assert second.url == first.url


@pytest.mark.parametrize("started", [True, False])
def test_nothing_listens_after_the_end(backend: Backend, certificate: tuple[Path, Path], *, started: bool) -> None:
    with LandingPage() as page:
        if started:
            page.start(claim=backend, certificate=certificate[0], key=certificate[1])

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port(page.url)))


def port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
