"""`make local`: what each button shows and what the terminal says about it, in one deployment."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from constructs_lib.testing import MarketplaceCustomer
from local.deployment import registration_code
from local.product import PRODUCT_CODE
from local.stay import offers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).parents[2]
LABELS = [offer.label for offer in offers(MarketplaceCustomer.licensed(PRODUCT_CODE))]
HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button of the page, with what its description promises."""

    action: str
    fields: Mapping[str, str]
    status: int
    outcome: str
    retry_after: bool


class Local:
    """A running `make local`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.secrets: set[str] = set()
        self._printed: list[str] = []
        assert process.stdout
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stdout: IO[str]) -> None:
        self._printed.extend(iter(stdout.readline, ""))

    @property
    def output(self) -> str:
        return "".join(self._printed)

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line, and return it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ended = not self._reader.is_alive()
            if match := re.search(f"^.*{pattern}.*$", self.output, re.MULTILINE):
                return match
            if ended:
                break
            time.sleep(0.1)
        raise AssertionError(f"no line with {pattern!r} in {self.output}")

    def address(self, name: str) -> str:
        return self.line(rf"{name} +(https?://\S+)")[1]

    def buttons(self) -> dict[str, Button]:
        """Open the page in a new window."""
        page = requests.get(self.address("AWS Marketplace"), timeout=10).text
        buttons = {}
        for item in re.findall(r"<li>(.*?)</li>", page, re.DOTALL):
            # The forms after the first one are those of the subscription's life.
            card, _, _ = item.partition("</form>")
            label, description = (unescape(text) for text in re.findall(r"<(?:h2|p)\b[^>]*>(.*?)</", card))
            expected = re.match(r"Expect (\d{3})( with Retry-After)? and (\w+)", description)
            assert expected, description
            fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', card))
            buttons[label] = Button(
                action=unescape(re.findall(r'action="([^"]*)"', card)[0]),
                fields={name: unescape(value) for name, value in fields.items()},
                status=int(expected[1]),
                outcome=expected[3],
                retry_after=bool(expected[2]),
            )
        return buttons

    def press(self, button: Button) -> list[requests.Response]:
        """Press a button as a browser does, and return the responses on the way to the page."""
        self.secrets.add(button.fields["x-amzn-marketplace-token"])
        with requests.Session() as browser:
            browser.trust_env = False
            browser.verify = self.line(r"--ca-bundle (\S+)")[1]
            page = browser.post(button.action, data=button.fields, headers={"Accept": "text/html"}, timeout=60)
        responses = [*page.history, page]
        if location := responses[0].headers.get("Location"):
            self.secrets.add(registration_code(location))
        return responses


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with subprocess.Popen(
        [sys.executable, "-m", "local.stay", "--port", "0"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        running = Local(process)
        try:
            running.line("303 registered")
            yield running
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert running.line("Everything is stopped")
        assert "Traceback" not in running.output
        for name in ("the fulfillment URL", "the landing page", "AWS Marketplace"):
            address = urlsplit(running.address(name))
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, address.port or 0))


def matches_its_button(local: Local, button: Button) -> None:
    """Press a button, and compare the page and the line with its description."""
    responses = local.press(button)
    first, page = responses[0], responses[-1]

    assert first.status_code == button.status
    assert ("Retry-After" in first.headers) == button.retry_after
    if button.status == 303:
        assert (page.status_code, page.url) == (200, local.address("the landing page"))
        account = re.findall(r"<dt>AWS account</dt><dd>(\d+)</dd>", page.text)[0]
        offer = "  offer type free-trial" if len(button.fields) == 2 else ""
        local.line(rf"POST /register  303 {button.outcome}  account {account}{offer}  reference [\w-]+$")
        local.line(rf"POST /claim     200 claimed  account {account}{offer}  reference [\w-]+$")
    else:
        reference = re.findall(r"Reference for support: ([\w-]+)", page.text)[0]
        local.line(rf"POST /register  {button.status} {button.outcome}\b.*  reference {reference}$")


@pytest.mark.parametrize("label", LABELS)
def test_a_button_shows_and_prints_what_its_description_says(local: Local, label: str) -> None:
    matches_its_button(local, local.buttons()[label])


def test_a_fault_stays_with_its_button_whatever_is_pressed_next_and_in_another_window(local: Local) -> None:
    windows = [local.buttons() for _ in range(2)]
    throttled = windows[0]["AWS Marketplace throttles"]
    pressed = [throttled, throttled, *(window["An expired registration token"] for window in windows)]
    pressed += [windows[1]["A returning buyer"], windows[0]["AWS Marketplace denies your account"]]

    with ThreadPoolExecutor(len(pressed)) as buyers:
        list(buyers.map(lambda button: matches_its_button(local, button), pressed))


def test_a_buyer_who_presses_again_is_registered_again(local: Local) -> None:
    button = local.buttons()["A buyer without a license"]
    local.press(button)
    page = local.press(button)[-1]

    account = re.findall(r"<dt>AWS account</dt><dd>(\d+)</dd>", page.text)[0]
    local.line(rf"POST /register  303 registered_again  account {account}  ")


def take_step(local: Local, label: str, step: str, **quantities: int) -> None:
    """Press a button of a subscription's life in a new window, with its quantities unless others are given."""
    page_url = local.address("AWS Marketplace")
    page = requests.get(page_url, timeout=10).text
    (item,) = (item for item in re.findall(r"<li>(.*?)</li>", page, re.DOTALL) if f">{label}</h2>" in item)
    _, _, form = item.partition("</form>")
    assert f'name="step" value="{step}"' in form
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form.partition("<button")[0]))
    fields |= {f"quantity-{name}": str(quantity) for name, quantity in quantities.items()}
    (action,) = re.findall(r'action="([^"]*)"', form)
    response = requests.post(urljoin(page_url, action), data={**fields, "step": step}, timeout=60)
    assert response.status_code == 200, response.text


def test_a_subscription_is_activated_changed_and_canceled_with_the_buttons_of_the_page(local: Local) -> None:
    label = "A buyer on a free trial"
    button = local.buttons()[label]
    with requests.Session() as browser:
        browser.trust_env = False
        browser.verify = local.line(r"--ca-bundle (\S+)")[1]
        page = browser.post(button.action, data=button.fields, headers={"Accept": "text/html"}, timeout=60)
        account = re.findall(r"<dt>AWS account</dt><dd>(\d+)</dd>", page.text)[0]

        def eventually_says(text: str) -> None:
            deadline = time.monotonic() + 30
            while text not in browser.get(page.url, timeout=10).text:
                assert time.monotonic() < deadline, text
                time.sleep(0.2)

        assert "Your subscription is being activated." in page.text
        updated, ended = "License Updated - Manufacturer  license_updated", "License Deprovisioned - Manufacturer"
        steps: list[tuple[str, dict[str, int], str, str, str]] = [
            ("subscribe", {}, "is active: 10 users", updated, "Ready"),
            ("change", {"users": 25}, "is active: 25 users", updated, "Changed"),
            ("cancel", {}, "has ended", f"{ended}  license_deprovisioned", "Ended"),
            ("resubscribe", {}, "is active: 25 users", updated, "Ready"),
        ]
        for step, quantities, text, marketplaces, sellers in steps:
            take_step(local, label, step, **quantities)
            eventually_says(f"Your subscription {text}")
            local.line(rf"{marketplaces}  account {account}$")
            local.line(rf"Subscription {sellers}  published  account {account}")


def test_a_claim_with_a_used_code_prints_its_line(local: Local) -> None:
    location = local.press(local.buttons()["A buyer with a license"])[0].headers["Location"]

    page = requests.get(location, verify=local.line(r"--ca-bundle (\S+)")[1], timeout=60)

    assert page.status_code == 404
    local.line(r"POST /claim     404 claim_refused  account \d+  reference [\w-]+$")


def test_neither_a_registration_token_nor_a_registration_code_is_printed(local: Local) -> None:
    window = local.buttons()
    for label in ("A buyer with a license", "An unknown registration token"):
        matches_its_button(local, window[label])

    assert len(local.secrets) >= 3
    assert not [secret for secret in local.secrets if secret in local.output]


# The ports, which no deployment is needed for.


def three_free_ports() -> int:
    """Return the first of three ports in a row that nothing listens on."""
    while True:
        with contextlib.ExitStack() as listening:
            port: int = listening.enter_context(socket.create_server((HOST, 0))).getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                for following in (port + 1, port + 2):
                    listening.enter_context(socket.create_server((HOST, following)))
                return port


def stay(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.stay", *options]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", timeout=60, check=False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_port_in_use_is_named_in_one_line(which: int) -> None:
    first = three_free_ports()
    with socket.create_server((HOST, first + which)):
        ended = stay("--port", str(first))

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line == (
        f"cannot listen on port {first + which} of 127.0.0.1: Address already in use; "
        "choose other ports: make local LOCAL_PORT=… (the first of three, or 0 for free ones)"
    )


@pytest.mark.parametrize("port", ["-1", "65534", "http"])
def test_a_port_that_does_not_exist_is_rejected(port: str) -> None:
    ended = stay(f"--port={port}")

    assert ended.returncode == 2
    assert "--port" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(("setting", "options"), [("", ""), ("LOCAL_PORT=9000", " --port 9000")])
def test_make_local_takes_the_first_port(setting: str, options: str) -> None:
    command = ["make", "--no-print-directory", "--dry-run", "local", *setting.split()]
    printed = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=True).stdout

    assert printed.splitlines()[-1].strip() == f".venv/bin/python -m local stay{options}"
