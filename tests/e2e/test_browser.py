"""The pages as a buyer sees and uses them, in headless Chromium, without scripts or any other machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from constructs_lib.testing import MarketplaceCustomer, MarketplaceOffer
from local.emulated.api_events import REQUEST_ID, form_event, http_event
from local.product import LANDING_PAGE, PRODUCT_CODE
from local.stay import offers
from resolver.errors import ClaimRejectedError, ProductRejectedError, TokenExpiredError
from resolver.handler import Handler
from resolver.http_event import TOKEN_FIELD
from resolver.pages import CONTENT_SECURITY_POLICY, TEXTS, Pages
from resolver.registration import Registrar
from tests.fakes import FakeMarketplace, FakeStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize

    from local.deployment import Deployment

HOST = "127.0.0.1"
SCREENSHOTS = Path(__file__).parents[1] / "artifacts"
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"

# Despite the other flags the browser would call home; with the last one it resolves no host but this machine.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
]

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
NARROWEST: ViewportSize = {"width": 320, "height": 568}

# Every rule: all levels of WCAG, best practices, experimental ones. Undecided findings count too.
CHECK = """async () => {
  const rules = Object.fromEntries(axe.getRules().map(({ruleId}) => [ruleId, {enabled: true}]))
  const {passes, violations, incomplete} = await axe.run({rules})
  const findings = [...violations, ...incomplete].flatMap(({id, nodes}) =>
    nodes.map(({html, any, all, none}) => [id, html, ...[...any, ...all, ...none].map(({message}) => message)]))
  return [passes.map(({id}) => id), findings]
}"""

FOCUSED = """() => {
  const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement)
  return [document.activeElement.textContent, outlineStyle, outlineWidth]
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        reason = "chromium is not on the PATH; make browser installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=executable, args=FLAGS) as browser,
    ):
        yield browser


@contextmanager
def window(browser: Browser, *, for_axe: bool = False) -> Iterator[Page]:
    """Open a window, and check that the browser logs no error and requests nothing from any other machine."""
    wrong: list[str] = []
    pages: set[str] = set()

    def request(request: Request) -> None:
        if urlsplit(request.url).hostname != HOST:
            wrong.append(request.url)
        if request.is_navigation_request():
            pages.add(request.url)

    def console(message: ConsoleMessage) -> None:
        # An error page has an error status. Without CSP the browser also requests an icon, which does not exist.
        expected = for_axe or message.location["url"] in pages
        if not (expected and message.text.startswith("Failed to load resource")):
            wrong.append(message.text)

    # axe is a script, and no page allows scripts.
    with browser.new_context(ignore_https_errors=True, bypass_csp=for_axe, viewport=DESKTOP) as context:
        context.on("request", request)
        context.on("console", console)
        page = context.new_page()
        yield page
    assert wrong == []


def take_screenshots(page: Page, name: str) -> None:
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=SCREENSHOTS / f"{name}-phone-dark.png", full_page=True)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    page.screenshot(path=SCREENSHOTS / f"{name}-desktop-light.png", full_page=True)


def findings(page: Page) -> list[list[object]]:
    """Return axe's findings on a desktop and on a phone, light and dark."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for size in (DESKTOP, PHONE):
        for dark in (False, True):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme="dark" if dark else "light")
            passed, findings = page.evaluate(CHECK)
            assert {"color-contrast", "document-title", "landmark-one-main", "region"} <= set(passed)
            found += [[size["width"], dark, *finding] for finding in findings]
    return found


def scrolls_sideways(page: Page) -> bool:
    page.set_viewport_size(NARROWEST)
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


# The resolver's pages, each with the headers of the handler's response.

LINKS = {"Contact support": "https://support.example.com/", "Log in to your account": "https://app.example.com/login"}


def handler(*, support_url: str | None, login_url: str | None) -> Handler:
    """Return a handler that raises the error named by the registration token."""
    registrar = Registrar(
        marketplace=FakeMarketplace({error.__name__: error() for error in TEXTS}),
        store=FakeStore(),
        products={PRODUCT_CODE: LANDING_PAGE},
        claim_ttl=timedelta(minutes=10),
    )
    return Handler(registrar=registrar, pages=Pages(support_url=support_url, login_url=login_url))


class Expected(NamedTuple):
    """A response, and what a reader must find in it."""

    response: dict[str, Any]
    happened: str
    to_do: str
    reference: str | None
    links: dict[str, str]


def expected() -> dict[str, Expected]:
    linked = handler(support_url=LINKS["Contact support"], login_url=LINKS["Log in to your account"])
    plain = handler(support_url=None, login_url=None)
    pages = {
        "how-to-start": Expected(
            linked(http_event("GET /register"), None),
            "Set up your account from AWS Marketplace",
            "Open your subscription on AWS Marketplace and press “Set up your account”.",
            None,
            LINKS,
        )
    }
    for error, text in TEXTS.items():
        # The response to a claim is JSON.
        if error is not ClaimRejectedError:
            name = re.sub("(?<=[a-z])(?=[A-Z])", "-", error.__name__.removesuffix("Error")).lower()
            event = form_event({TOKEN_FIELD: error.__name__})
            pages[name] = Expected(linked(event, None), text.happened, text.to_do, REQUEST_ID, LINKS)
    expired = pages["token-expired"]
    event = form_event({TOKEN_FIELD: TokenExpiredError.__name__})
    return {**pages, "without-links": expired._replace(response=plain(event, None), links={})}


PAGES = expected()


class Replay(ThreadingTCPServer):
    """Serves the page of each path's name; not an HTTPServer, which looks its own name up in DNS."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Replayed)
        self.url = f"http://{HOST}:{self.server_address[1]}"


class _Replayed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path.removeprefix("/"))
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = page.response["body"].encode()
        self.send_response(page.response["statusCode"])
        for name, value in {**page.response["headers"], "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def replay() -> Iterator[str]:
    with Replay() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_says_what_happened_and_what_to_do(browser: Browser, replay: str, name: str) -> None:
    expected = PAGES[name]

    with window(browser) as page:
        response = page.goto(f"{replay}/{name}")

        assert response
        assert response.status == expected.response["statusCode"]
        assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert page.title() == expected.happened
        assert page.locator("html").get_attribute("lang") == "en"
        # A screen reader reads this, in this order.
        expect(page.locator("body")).to_match_aria_snapshot(spoken(expected))
        focus = []
        for _ in range(len(expected.links) + 1):
            page.keyboard.press("Tab")
            focus.append(page.evaluate(FOCUSED))
        assert focus[:-1] == [[link, "solid", "3px"] for link in expected.links]
        take_screenshots(page, name)
        assert not scrolls_sideways(page)


def spoken(expected: Expected) -> str:
    """Return the page as a tree of roles in YAML, which includes JSON's strings."""
    heading = f'heading "{expected.happened}" [level=1]'
    lines = ["- main:", "  - /children: deep-equal", f"  - {json.dumps(heading)}"]
    lines += [f"  - paragraph: {json.dumps(expected.to_do)}"]
    if expected.links:
        lines += ["  - list:"]
    for text, url in expected.links.items():
        lines += ["    - listitem:", f"      - link {json.dumps(text)}:", f"        - /url: {json.dumps(url)}"]
    if expected.reference:
        lines += [f"  - paragraph: {json.dumps(f'Reference for support: {expected.reference}')}"]
    return "\n".join(lines)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_problem_on_a_page(browser: Browser, replay: str, name: str) -> None:
    with window(browser, for_axe=True) as page:
        page.goto(f"{replay}/{name}")

        assert findings(page) == []


# The whole journey, through a real deployment.

BUYER = MarketplaceCustomer.licensed(PRODUCT_CODE)


@pytest.fixture(scope="module")
def shop(deployment: Deployment) -> Deployment:
    # With those of `make local`, whose page is checked too.
    shown = [MarketplaceOffer(label="A buyer", customer=BUYER), *offers(BUYER)]
    deployment.marketplace.publish(fulfillment_url=deployment.fulfillment_url, offers=shown)
    return deployment


def set_up_account(page: Page, label: str) -> None:
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=label, exact=True))
    card.get_by_role("button", name="Set up your account").click()


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def test_a_buyer_gets_from_the_button_to_an_account(browser: Browser, shop: Deployment) -> None:
    with window(browser) as page:
        page.goto(shop.marketplace.page_url)
        take_screenshots(page, "way-1-marketplace")
        assert not scrolls_sideways(page)
        set_up_account(page, "A buyer")

        assert heading(page) == "Create your account"
        assert urlsplit(page.url).path == "/signup"
        assert "registration_code" not in page.url
        assert page.get_by_text(BUYER.customer_aws_account_id, exact=True).is_visible()
        take_screenshots(page, "way-2-landing-page")
        assert not scrolls_sideways(page)
        page.get_by_label("E-mail address").fill("buyer@example.com")
        page.get_by_label("E-mail address").press("Enter")

        assert heading(page) == "Thank you"
        take_screenshots(page, "way-3-account")


def test_a_buyer_with_an_expired_token_gets_in_by_following_the_page(browser: Browser, shop: Deployment) -> None:
    with window(browser) as page:
        page.goto(shop.marketplace.page_url)
        shop.marketplace.clock.advance(timedelta(hours=5))
        set_up_account(page, "A buyer")

        assert heading(page) == TEXTS[TokenExpiredError].happened
        take_screenshots(page, "way-too-late")
        page.go_back()
        set_up_account(page, "A buyer")

        assert heading(page) == "Create your account"


def test_a_buyer_of_another_product_is_told_that_it_is_not_set_up(browser: Browser, shop: Deployment) -> None:
    with window(browser) as page:
        page.goto(shop.marketplace.page_url)
        set_up_account(page, "A buyer of another seller's product")

        assert heading(page) == TEXTS[ProductRejectedError].happened
        take_screenshots(page, "way-another-product")


def test_axe_finds_no_problem_on_the_journey(browser: Browser, shop: Deployment) -> None:
    with window(browser, for_axe=True) as page:
        page.goto(shop.marketplace.page_url)
        found = findings(page)
        set_up_account(page, "A buyer")
        found += findings(page)

        assert found == []
