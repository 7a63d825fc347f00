from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import threading
from html import escape
from typing import TYPE_CHECKING

import pytest
import requests

from local.landing_page import LandingPage
from local.local_aws import write_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
        self.registration: dict[str, str] = LICENSED
        self.status = 200
        self.error: Exception | None = None

    def __call__(self, code: str) -> requests.Response:
        self.claimed.append(code)
        if self.error:
            raise self.error
        response = requests.Response()
        response.status_code = self.status
        response._content = json.dumps(self.registration if self.status == 200 else {}).encode()
        return response


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
def url(backend: Backend, certificate: tuple[Path, Path]) -> Iterator[str]:
    with LandingPage() as page:
        page.start(claim=backend, certificate=certificate[0], key=certificate[1])
        yield page.url


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


def heading(answer: requests.Response) -> str:
    (text,) = re.findall(r"<h1>(.*?)</h1>", answer.text)
    assert isinstance(text, str)
    assert f"<title>{text}</title>" in answer.text
    return text


def facts(answer: requests.Response) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", answer.text))


def test_shows_the_buyer_and_leaves_no_code_in_the_address(
    browser: requests.Session, url: str, backend: Backend
) -> None:
    answer = arrive(browser, url)

    assert backend.claimed == [CODE]
    assert [(step.status_code, step.headers["Location"]) for step in answer.history] == [(303, "/signup")]
    assert answer.url == url
    assert (answer.status_code, heading(answer)) == (200, "Create your account")
    assert facts(answer) == {
        "AWS account": "111122223333",
        "Product code": "a290sds6en72spp3ph4q890es",
        "License": "arn:aws:license-manager::444455556666:license:l-1",
        "Agreement": "agmt-1",
    }
    assert '<label for="email">' in answer.text
    assert '<input id="email" name="email" type="email"' in answer.text
    assert "support" in answer.text
    assert "Log in" in answer.text


def test_shows_a_legacy_customer_and_a_free_trial(browser: requests.Session, url: str, backend: Backend) -> None:
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


def test_the_cookie_holds_nothing_but_an_unguessable_id(browser: requests.Session, url: str) -> None:
    cookie = arrive(browser, url).history[0].headers["Set-Cookie"]

    assert re.fullmatch(r"sign-up-session=[\w-]{43}; Path=/signup; HttpOnly; Secure; SameSite=Lax", cookie)
    assert CODE not in cookie


def test_every_claim_begins_a_session_of_its_own(browser: requests.Session, url: str, backend: Backend) -> None:
    arrive(browser, url)
    first = browser.cookies["sign-up-session"]
    backend.registration = {**LICENSED, "CustomerAWSAccountId": "999988887777"}
    arrive(browser, url, "another")
    assert browser.cookies["sign-up-session"] != first

    assert facts(browser.get(url, timeout=10))["AWS account"] == "999988887777"
    browser.cookies.clear()
    again = browser.get(url, headers={"Cookie": f'a,b; c; d="; sign-up-session={first}'}, timeout=10)
    assert facts(again)["AWS account"] == "111122223333"


def test_escapes_what_it_shows(browser: requests.Session, url: str, backend: Backend) -> None:
    hostile = "</dd><script>alert(1)</script>'\"&"
    backend.registration = {**LICENSED, "AgreementId": hostile}
    answer = arrive(browser, url)

    assert facts(answer)["Agreement"] == escape(hostile)
    assert "<script" not in answer.text


def test_another_browser_learns_nothing(
    browser: requests.Session, url: str, certificate: tuple[Path, Path], backend: Backend
) -> None:
    arrive(browser, url)

    with new_browser(certificate[0]) as other:
        for cookie in ("", "sign-up-session=", "sign-up-session=guessed"):
            answer = other.get(url, headers={"Cookie": cookie}, timeout=10)
            assert (answer.status_code, facts(answer)) == (200, {})
            assert "AWS Marketplace" in answer.text
            assert "<form" not in answer.text
    assert backend.claimed == [CODE]


def test_an_empty_code_is_no_code(browser: requests.Session, url: str, backend: Backend) -> None:
    assert facts(arrive(browser, url, "")) == {}
    assert backend.claimed == []


def test_says_that_a_code_is_refused(browser: requests.Session, url: str, backend: Backend) -> None:
    backend.status = 404
    answer = arrive(browser, url, "<b>used</b>")

    assert backend.claimed == ["<b>used</b>"]
    assert (answer.status_code, heading(answer)) == (404, "This registration cannot be used")
    assert "Set up your account" in answer.text
    assert "used</b>" not in answer.text
    assert not browser.cookies


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, None), (500, None), (503, None), (599, None), (200, requests.ConnectionError("no connection"))],
)
def test_says_when_a_code_may_still_be_good(
    browser: requests.Session, url: str, backend: Backend, status: int, error: Exception | None
) -> None:
    backend.status, backend.error = status, error
    answer = arrive(browser, url)
    assert (answer.status_code, heading(answer)) == (503, "Your registration could not be read")
    assert "no connection" not in answer.text

    backend.status, backend.error = 200, None
    assert facts(browser.get(answer.url, timeout=10))["AWS account"] == "111122223333"


def test_thanks_for_the_form(browser: requests.Session, url: str) -> None:
    arrive(browser, url)
    answer = browser.post(url, data={"email": "me@example.com"}, timeout=10)

    assert (answer.status_code, heading(answer)) == (200, "Thank you")
    assert "me@example.com" not in answer.text


def test_takes_no_form_without_a_session(browser: requests.Session, url: str) -> None:
    answer = browser.post(url, data={"email": "me@example.com"}, timeout=10)

    assert (answer.status_code, heading(answer)) == (403, "Your sign-up session has ended")


def test_has_no_other_page_but_the_log_in(browser: requests.Session, url: str) -> None:
    assert heading(browser.get(url.replace("/signup", "/login"), timeout=10)) == "Log in"
    for answer in (
        browser.get(url.replace("/signup", "/"), timeout=10),
        browser.get(url + "/more", timeout=10),
        browser.post(url.replace("/signup", "/login"), timeout=10),
    ):
        assert (answer.status_code, heading(answer)) == (404, "There is no such page")


def test_every_answer_is_kept_from_caches_frames_and_other_sites(
    browser: requests.Session, url: str, backend: Backend
) -> None:
    registered = arrive(browser, url)
    thanks = browser.post(url, timeout=10)
    backend.status = 404
    answers = [
        *registered.history,
        registered,
        thanks,
        arrive(browser, url),
        browser.get(url.replace("/signup", "/"), timeout=10),
    ]

    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= {*policy}
        for style in re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}'" in policy
        assert not re.search(r"<script|\sstyle=|\son\w+=", answer.text)


def test_prints_no_code(browser: requests.Session, url: str, capfd: pytest.CaptureFixture[str]) -> None:
    arrive(browser, url)

    assert capfd.readouterr() == ("", "")


def test_a_browser_that_does_not_trust_the_certificate_disturbs_nobody(
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


def test_who_comes_before_the_start_waits(
    browser: requests.Session, backend: Backend, certificate: tuple[Path, Path]
) -> None:
    answers: list[requests.Response] = []
    with LandingPage() as page:
        early = threading.Thread(target=lambda: answers.append(arrive(browser, page.url)))
        early.start()
        early.join(0.1)
        assert not answers
        page.start(claim=backend, certificate=certificate[0], key=certificate[1])
        early.join(10)
    assert [answer.status_code for answer in answers] == [200]


@pytest.mark.parametrize("started", [True, False])
def test_listens_to_nobody_after_its_end(backend: Backend, certificate: tuple[Path, Path], *, started: bool) -> None:
    with LandingPage() as page:
        if started:
            page.start(claim=backend, certificate=certificate[0], key=certificate[1])

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port(page.url)))


def port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
