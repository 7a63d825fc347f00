"""The product's landing page on this machine: a minimal version of a seller's own."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import sys
import threading
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from constructs_lib.claims import ClaimError, ClaimRejectedError
from local.local_aws import named_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from constructs_lib.claims import Registration

_SIGN_UP = "/signup"
_LOG_IN = "/login"
_COOKIE = "sign-up-session"
_LONGEST_BODY = 16 * 1024

_Key = tuple[str, str, str | None]

_FACTS = {
    "CustomerAWSAccountId": "AWS account",
    "CustomerIdentifier": "Customer identifier",
    "ProductCode": "Product code",
    "LicenseArn": "License",
    "AgreementId": "Agreement",
    "OfferType": "Offer type",
}

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #4f5966; --paper: #fff; --back: #eef2f0; --edge: #c9d2cd;
  --field: #78847d; --accent: #0a6446; --on-accent: #fff; --notice: #e3f1ea }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebe9; --quiet: #aab5af; --paper: #1b211e; --back: #101412; --edge: #37413c; --field: #7f8c85;
    --accent: #6fd3a8; --on-accent: #06231a; --notice: #21332b }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; color: var(--ink);
  background: var(--back); font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { width: 100%; max-width: 36rem; padding: clamp(1.25rem, 6vw, 2.5rem); background: var(--paper);
  border: 1px solid var(--edge); border-radius: .75rem }
h1 { margin: 0 0 .75rem; font-size: clamp(1.375rem, 5vw, 1.75rem); line-height: 1.25; text-wrap: balance }
p { margin: 0 0 1rem }
dl { margin: 0 0 1.5rem; padding: 1rem 0 .25rem; border: solid var(--edge); border-width: 1px 0 }
dt { color: var(--quiet); font-size: .875rem }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere; font: .9375rem/1.45 ui-monospace, monospace }
label { display: block; margin-bottom: .25rem; font-weight: 600 }
input, button { width: 100%; min-height: 2.875rem; padding: .5rem .75rem; border-radius: .5rem; font: inherit }
input { border: 1px solid var(--field); color: inherit; background: transparent }
button { margin: 1rem 0 1.25rem; border: 0; color: var(--on-accent); background: var(--accent); font-weight: 600;
  cursor: pointer }
a { display: inline-block; margin-right: 1.5rem; padding: .25rem 0; color: var(--accent); text-underline-offset: .2em }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.notice { margin: 1.25rem 0 0; padding: .625rem .75rem; border-radius: .5rem; background: var(--notice);
  font-size: .875rem }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_START_AGAIN = "<p>Go back to AWS Marketplace and press “Set up your account”.</p>"


class LandingPage:
    """An HTTPS server on 127.0.0.1, from `start` to the end of its `with` block.

    A deployment needs the page's address, and the page needs the deployment. So the address is known from the
    beginning, and requests that come before `start` wait.

    Args:
        port: port to listen on; 0 chooses a free one.

    Attributes:
        url: the address, for the construct's `products`.
    """

    def __init__(self, port: int = 0) -> None:
        with named_port(port):
            self._server = _Server(port)
        self._thread: threading.Thread | None = None
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}{_SIGN_UP}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def start(self, *, claim: Callable[[str], Registration], certificate: Path, key: Path) -> None:
        """Serve.

        Args:
            claim: claims a registration by its code, or raises ClaimError; called from several threads.
            certificate: for 127.0.0.1.
            key: the certificate's private key.
        """
        self._server.claim = claim
        self._server.tls.load_cert_chain(certificate, key)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Apply an event of the subscriptions, as it came to the seller's target, unless a later one was applied."""
        detail = event["detail"]
        key = _key(detail["registration"])
        revision, _ = self._server.told.get(key, (0, None))
        if detail["revision"] >= revision:
            self._server.told[key] = detail["revision"], detail["registration"]


class _Server(ThreadingTCPServer):
    """Not an HTTPServer, which looks up its own name in DNS before it listens."""

    allow_reuse_address = True
    # A browser opens connections in advance and leaves them idle; shutting down does not wait for them.
    daemon_threads = True
    request_queue_size = 128
    claim: Callable[[str], Registration]

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.registrations: dict[str, Registration] = {}
        self.told: dict[_Key, tuple[int, Registration]] = {}

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        # The first read does the handshake, in the connection's own thread, so that no connection waits for another's.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        # A browser that does not trust the certificate yet or that disconnected is not a server error.
        if error is not None and not isinstance(error, OSError):
            raise error


class _Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == _LOG_IN:
            self._page(HTTPStatus.OK, "Log in", "<p>Existing customers would log in here.</p>")
        elif url.path != _SIGN_UP:
            self._not_found()
        elif codes := parse_qs(url.query).get("registration_code"):
            self._claim(codes[0])
        elif registration := self._registration():
            self._page(HTTPStatus.OK, "Create your account", _sign_up_form(registration))
        else:
            self._page(HTTPStatus.OK, "Create your account", _START_AGAIN)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        # A response to a body that is not read would be lost in the reset of the connection.
        self.rfile.read(min(int(length), _LONGEST_BODY) if length.isdecimal() else 0)
        if urlsplit(self.path).path != _SIGN_UP:
            self._not_found()
        elif self._registration():
            self._page(
                HTTPStatus.OK,
                "Thank you",
                "<p>The product would now create your account. You can use it while your subscription is active.</p>",
            )
        else:
            self._page(HTTPStatus.FORBIDDEN, "Your sign-up session has ended", _START_AGAIN)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing: a line would show the code."""

    def _claim(self, code: str) -> None:
        try:
            registration = self._landing_page.claim(code)
        except ClaimRejectedError:
            self._page(
                HTTPStatus.NOT_FOUND,
                "This registration cannot be used",
                "<p>Its code is unknown, has expired, or was used before. Your subscription is not affected.</p>"
                f"{_START_AGAIN}",
            )
        except ClaimError:
            self._page(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Your registration could not be read",
                "<p>Your subscription is not affected. Reload this page in a few seconds.</p>",
            )
        else:
            # A new session for every claim: a session ID planted in the browser by someone else gets no registration.
            session = secrets.token_urlsafe(32)
            self._landing_page.registrations[session] = registration
            cookie = f"{_COOKIE}={session}; Path={_SIGN_UP}; HttpOnly; Secure; SameSite=Lax"
            # Removes the code from the address, and so from the history and from copied links.
            self._send(HTTPStatus.SEE_OTHER, {"Location": _SIGN_UP, "Set-Cookie": cookie})

    def _registration(self) -> Registration | None:
        # Cookies ignore the port: other servers' on this machine arrive too, and http.cookies fails on odd ones.
        for pair in self.headers.get("Cookie", "").split(";"):
            name, _, session = pair.strip().partition("=")
            if name == _COOKIE and session in self._landing_page.registrations:
                claimed = self._landing_page.registrations[session]
                _, told = self._landing_page.told.get(_key(claimed), (0, claimed))
                return told
        return None

    def _not_found(self) -> None:
        self._page(HTTPStatus.NOT_FOUND, "Page not found", _START_AGAIN)

    def _page(self, status: HTTPStatus, heading: str, content: str) -> None:
        self._send(status, {"Content-Type": "text/html; charset=utf-8"}, _document(heading, content))

    def _send(self, status: HTTPStatus, headers: Mapping[str, str], body: str = "") -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in {**_HEADERS, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    @property
    def _landing_page(self) -> _Server:
        return cast("_Server", self.server)


def _sign_up_form(registration: Registration) -> str:
    facts = "".join(
        f"<dt>{label}</dt><dd>{escape(str(registration.get(name)))}</dd>"
        for name, label in _FACTS.items()
        if name in registration
    )
    return f"""<p>Thank you for subscribing on AWS Marketplace. These are the details that it sent us:</p>
<dl>{facts}</dl>
<p id="access">{_access(registration)}</p>
<form method="post" action="{_SIGN_UP}">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required aria-describedby="access">
<button type="submit">Create account</button>
</form>"""


def _access(registration: Registration) -> str:
    status = registration.get("LicenseStatus")
    if status == "DEPROVISIONED":
        return "Your subscription has ended. You can subscribe again on AWS Marketplace."
    if status != "ACTIVE":
        return (
            "Your subscription is being activated. We send an email when it is active. "
            f'<a href="{_SIGN_UP}">Check again</a>'
        )
    values = [
        escape(f"{value} {entitlement['Dimension']}")
        for entitlement in registration.get("Entitlements", [])
        for value in entitlement.get("Value", {}).values()
    ]
    return f"Your subscription is active{': ' if values else ''}{', '.join(values)}."


def _key(registration: Registration) -> _Key:
    return registration["CustomerAWSAccountId"], registration["ProductCode"], registration.get("LicenseArn")


def _document(heading: str, content: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{content}
<nav aria-label="Help"><a href="{_LOG_IN}">Log in to your account</a>
<a href="mailto:support@example.com">Contact support</a></nav>
<p class="notice">This page runs on this computer, in place of the product's own. It does not store your input.</p>
</main>
</body>
</html>
"""
