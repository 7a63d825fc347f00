"""The buyer's pages: a text for each error, and the one page, without script, that shows it."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from resolver.errors import (
    BodyTooLargeError,
    BodyUnreadableError,
    ClaimRejectedError,
    ContentTypeRejectedError,
    MarketplaceDeniedError,
    MarketplaceThrottledError,
    MarketplaceUnavailableError,
    ProductRejectedError,
    RegistrationError,
    StoreUnavailableError,
    TokenExpiredError,
    TokenInvalidError,
    TokenMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SET_UP_AGAIN = "Go back to AWS Marketplace and press “Set up your account” again."
_NOTHING_LOST = "Your subscription is not affected."
_RETRY = f"{_NOTHING_LOST} Wait a few seconds, then go back to AWS Marketplace and press “Set up your account” again."
_CONTACT_SUPPORT = (
    f"{_NOTHING_LOST} Please contact the seller's support; trying again will not help until they have acted."
)


class Text(NamedTuple):
    """A heading, and what to do next."""

    happened: str
    to_do: str


WELCOME = Text(
    "Set up your account from AWS Marketplace",
    "Open your subscription on AWS Marketplace and press “Set up your account”.",
)

TEXTS: Mapping[type[RegistrationError], Text] = {
    TokenMissingError: Text("This request is missing its registration token.", _SET_UP_AGAIN),
    BodyUnreadableError: Text("This registration could not be read.", _SET_UP_AGAIN),
    BodyTooLargeError: Text("This registration is too large.", _SET_UP_AGAIN),
    ContentTypeRejectedError: Text("This registration is neither a form nor JSON.", _SET_UP_AGAIN),
    TokenInvalidError: Text("AWS Marketplace did not recognize this registration.", _SET_UP_AGAIN),
    TokenExpiredError: Text("This registration has expired.", f"{_NOTHING_LOST} {_SET_UP_AGAIN}"),
    ProductRejectedError: Text(
        "This registration is for a product that is not set up here.",
        f"{_NOTHING_LOST} Please contact the seller's support.",
    ),
    MarketplaceThrottledError: Text("AWS Marketplace is busy.", _RETRY),
    MarketplaceUnavailableError: Text("AWS Marketplace did not respond.", _RETRY),
    MarketplaceDeniedError: Text(
        "Your registration could not be completed: something is wrong on the seller's side.", _CONTACT_SUPPORT
    ),
    StoreUnavailableError: Text("Your registration could not be saved.", _RETRY),
    ClaimRejectedError: Text(
        "This registration code is unknown, used or expired.",
        "Send the buyer back to AWS Marketplace to press “Set up your account” again.",
    ),
}
"""Error to text; a ``ClaimRejectedError`` is read by the backend's developer, not by a buyer."""

_STYLE = """
:root { color-scheme: light dark; --ink: #16191f; --quiet: #4d5766; --paper: #fff; --back: #f1f3f5; --edge: #d6dbe1;
  --field: #7a8594; --link: #00499c; --hover: #eef4fb }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edf0f3; --quiet: #b4bdc9; --paper: #1b222c; --back: #0f141b; --edge: #38424f; --field: #7f8b9b;
    --link: #9accff; --hover: #243140 }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; min-height: 100svh; display: grid; place-items: center; padding: 1rem;
  color: var(--ink); background: var(--back); overflow-wrap: anywhere;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { width: 100%; max-width: 36rem; padding: clamp(1.5rem, 6vw, 3rem); background: var(--paper);
  border: 1px solid var(--edge); border-radius: 1rem }
h1 { margin: 0 0 .75rem; font-size: clamp(1.375rem, 5vw, 1.75rem); line-height: 1.25; text-wrap: balance }
p { margin: 0; text-wrap: pretty }
ul { margin: 1.75rem 0 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .75rem }
li { flex: 1 0 auto; max-width: 100% }
a { display: block; padding: .625rem 1rem; border: 1px solid var(--field); border-radius: .5rem; color: var(--link);
  font-weight: 600; text-align: center; text-decoration: none }
a:hover { background: var(--hover); text-decoration: underline }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 3px }
small { display: block; margin-top: 1.75rem; padding-top: 1rem; border-top: 1px solid var(--edge); color: var(--quiet);
  font-size: .875rem }
@media print { body { min-height: 0 } a::after { content: " " attr(href) } }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Pages:
    """Writes the pages of one seller.

    Args:
        support_url: where a buyer finds help (https or mailto); without it there is no such link.
        login_url: where an existing customer logs in; without it there is no such link.
    """

    def __init__(self, *, support_url: str | None, login_url: str | None) -> None:
        links = (("Contact support", support_url), ("Log in to your account", login_url))
        items = "".join(f'<li><a href="{escape(url)}">{text}</a></li>' for text, url in links if url)
        self._links = f"<ul>{items}</ul>" if items else ""

    def page(self, text: Text, *, reference: str | None = None) -> str:
        """Return a page of HTML.

        Args:
            text: the heading, which is the title too, and what the reader can do next.
            reference: by which support can find the request.
        """
        quoted = f"<p><small>Reference for support: {escape(reference)}</small></p>" if reference else ""
        happened = escape(text.happened)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{happened}</title><style>{_STYLE}</style></head>"
            f"<body><main><h1>{happened}</h1><p>{escape(text.to_do)}</p>{self._links}{quoted}</main></body></html>"
        )
