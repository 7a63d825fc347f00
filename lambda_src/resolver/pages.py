"""What a browser sees: one page, without script, that says what happened and what to do."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #16191f; --paper: #fff; --edge: #d5dbdb; --link: #0050a0; --back: #f2f3f3 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eaeded; --paper: #1d2630; --edge: #414d5c; --link: #8cc4ff; --back: #0f1620 }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; color: var(--ink);
  background: var(--back); font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { width: 100%; max-width: 34rem; padding: clamp(1.5rem, 6vw, 3rem); background: var(--paper);
  border: 1px solid var(--edge); border-radius: .75rem }
h1 { margin: 0 0 1rem; font-size: clamp(1.375rem, 5vw, 1.75rem); line-height: 1.25; text-wrap: balance }
p { margin: 0 0 1rem; overflow-wrap: anywhere }
ul { margin: 1.5rem 0 0; padding: 1.25rem 0 0; border-top: 1px solid var(--edge); list-style: none; display: flex;
  flex-wrap: wrap; gap: .5rem 1.5rem }
a { display: inline-block; padding: .25rem 0; color: var(--link); text-underline-offset: .2em }
a:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; border-radius: .125rem }
small { opacity: .8 }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Pages:
    """Writes the pages of one seller.

    Args:
        support_url: where a buyer finds help (https or mailto); without it no such link is shown.
        login_url: where an existing customer logs in; without it no such link is shown.
    """

    def __init__(self, *, support_url: str | None, login_url: str | None) -> None:
        links = (("Contact support", support_url), ("Log in to an existing account", login_url))
        items = "".join(f'<li><a href="{escape(url)}">{text}</a></li>' for text, url in links if url)
        self._links = f"<ul>{items}</ul>" if items else ""

    def page(self, *, happened: str, to_do: str, reference: str | None = None) -> str:
        """Return a page of HTML.

        Args:
            happened: one sentence, the heading and title.
            to_do: what the reader can do next.
            reference: what support can find the request by.
        """
        quoted = f"<p><small>Reference for support: {escape(reference)}</small></p>" if reference else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(happened)}</title><style>{_STYLE}</style></head>"
            f"<body><main><h1>{escape(happened)}</h1><p>{escape(to_do)}</p>{quoted}{self._links}</main></body></html>"
        )
