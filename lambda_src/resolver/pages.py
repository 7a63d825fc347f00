"""What a browser sees: one page, without script, that says what happened and what to do."""

from __future__ import annotations

import base64
import hashlib
from html import escape

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
        support_url: where a buyer finds help (https or mailto); without it no such link is shown.
        login_url: where an existing customer logs in; without it no such link is shown.
    """

    def __init__(self, *, support_url: str | None, login_url: str | None) -> None:
        links = (("Contact support", support_url), ("Log in to your account", login_url))
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
            f"<body><main><h1>{escape(happened)}</h1><p>{escape(to_do)}</p>{self._links}{quoted}</main></body></html>"
        )
