"""Who is answered in JSON."""

from __future__ import annotations

import pytest

from local.emulated.api_events import http_event
from resolver.http_event import prefers_json

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("accept", "content_type", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FORM, False),
        ("application/json", FORM, True),
        ("application/problem+json", FORM, True),
        ("application/json;q=0.5, text/html", "application/json", False),
        ("text/html;q=0.2, application/*;q=0.3", FORM, True),
        ("text/html;q=0, */*", FORM, True),
        ("*/*", FORM, False),
        ("*/*", "application/json; charset=utf-8", True),
        (None, FORM, False),
        (None, "application/json", True),
        ("image/png", FORM, False),
        ("application/json;q=nonsense", FORM, False),
    ],
)
def test_accept_decides_and_else_the_way_the_request_was_sent(
    accept: str | None, content_type: str, *, expected: bool
) -> None:
    headers = {"content-type": content_type} | ({"accept": accept} if accept else {})

    assert prefers_json(http_event("POST /register", headers=headers)) is expected
