"""Reading of the untrusted part of an event."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from local.emulated.api_events import http_event
from resolver.errors import BodyTooLargeError, BodyUnreadableError, ContentTypeRejectedError
from resolver.http_event import MAX_BODY_BYTES, TOKEN_FIELD, fields, header, prefers_json

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def event(body: str | bytes | None, content_type: str = FORM) -> dict[str, Any]:
    return http_event("POST /register", headers={"content-type": content_type}, body=body)


def in_base64(text: str) -> dict[str, Any]:
    return {**event(text), "isBase64Encoded": True}


@pytest.mark.parametrize(
    ("accept", "content_type", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FORM, False),
        ("application/json", FORM, True),
        ("Application/JSON", FORM, True),
        ("application/problem+json", FORM, True),
        ("application/json,text/html;q=0.5", FORM, True),
        ("application/json;q=0.5, text/html", JSON, False),
        ("text/html;q=0.2, application/*;q=0.3", FORM, True),
        ("text/html;q=0, */*", FORM, True),
        ("*/*", FORM, False),
        ("*/*", "application/json; charset=utf-8", True),
        ("text/html, application/json", FORM, False),
        ("text/html, application/json", JSON, True),
        (None, FORM, False),
        (None, JSON, True),
        ("", JSON, True),
        ("image/png", FORM, False),
        # The most specific range decides, regardless of order and weight.
        ("*/*;q=0.9, application/*;q=0.1, text/html;q=0.5", FORM, False),
        ("application/*;q=0.1, application/json;q=0.9, text/html;q=0.5", FORM, True),
        ("application/json;q=0.1, application/problem+json;q=0.1, application/*, text/html;q=0.5", FORM, False),
        # The first of two equal ranges decides.
        ("application/json;q=0.9, application/json;q=0.1, text/html;q=0.5", FORM, True),
    ],
)
def test_accept_decides_and_otherwise_the_way_the_request_was_sent(
    accept: str | None, content_type: str, *, expected: bool
) -> None:
    headers = {"content-type": content_type} | ({} if accept is None else {"accept": accept})

    assert prefers_json(http_event("POST /register", headers=headers)) is expected


@pytest.mark.parametrize(
    "parameters",
    ["q=1", "q=1.", "q=1.0", "q=1.000", "Q=1", "q=0.501", "charset=utf-8;q=1", "q=1;ext=1", "q=1;q=0", ""],
)
def test_a_weight_above_that_of_html_prefers_json(parameters: str) -> None:
    accept = f"application/json; {parameters} , text/html;q=0.5"

    assert prefers_json(http_event("POST /register", headers={"accept": accept}))


@pytest.mark.parametrize(
    "weight",
    ["0", "0.", "0.000", "0.499", "", "nonsense", "nan", "inf", "-1", "1e0", "2", "1.5", "1.001", "0.6000", "01", " 1"],
)
def test_a_lower_or_invalid_weight_does_not_prefer_json(weight: str) -> None:
    accept = f"application/json;q={weight}, text/html;q=0.5"

    assert not prefers_json(http_event("POST /register", headers={"accept": accept, "content-type": JSON}))


def test_an_event_may_have_no_headers() -> None:
    assert header({}, "accept") is None
    assert not prefers_json({})


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", f"{FORM};a=b;c", f" {FORM.upper()} "])
def test_the_content_type_is_read_without_case_and_parameters(content_type: str) -> None:
    assert fields(event(f"{TOKEN_FIELD}=token", content_type)) == {TOKEN_FIELD: "token"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application", f"text/plain; {FORM}", f"{FORM}, {FORM}"])
def test_other_content_types_are_rejected(content_type: str) -> None:
    with pytest.raises(ContentTypeRejectedError):
        fields(event(f"{TOKEN_FIELD}=token", content_type))


@pytest.mark.parametrize("event", [event(None), event(""), event(b""), in_base64("")])
def test_a_form_without_a_body_has_no_fields(event: dict[str, Any]) -> None:
    assert fields(event) == {}


def test_base64_without_a_body_has_no_fields() -> None:
    assert fields({**event(None), "isBase64Encoded": True}) == {}


@pytest.mark.parametrize("extra", ["!", "\n", " ", "=", "é", "-_"])
def test_base64_with_other_characters_is_rejected(extra: str) -> None:
    body = base64.b64encode(f"{TOKEN_FIELD}=token".encode()).decode()
    assert fields(in_base64(body)) == {TOKEN_FIELD: "token"}

    with pytest.raises(BodyUnreadableError):
        fields(in_base64(body[:4] + extra + body[4:]))


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"abc\x80"])
@pytest.mark.parametrize("content_type", [FORM, JSON])
def test_invalid_utf_8_is_rejected(text: bytes, content_type: str) -> None:
    body = b'{"x": "%b"}' % text if content_type == JSON else b"x=" + text

    with pytest.raises(BodyUnreadableError):
        fields(event(body, content_type))


@pytest.mark.parametrize("escaped", ["%FF", "%C0%AF", "%ED%A0%80"])
def test_invalid_utf_8_in_a_forms_escapes_is_rejected(escaped: str) -> None:
    with pytest.raises(BodyUnreadableError):
        fields(event(f"x={escaped}"))


def test_a_body_with_a_lone_surrogate_is_rejected() -> None:
    with pytest.raises(BodyUnreadableError):
        fields(event("\ud800"))


@pytest.mark.parametrize("as_bytes", [True, False])
def test_the_largest_body_is_read_and_one_byte_more_is_too_large(*, as_bytes: bool) -> None:
    def of(size: int) -> dict[str, Any]:
        body = f"{TOKEN_FIELD}=".ljust(size, "a")
        return event(body.encode() if as_bytes else body)

    assert len(fields(of(MAX_BODY_BYTES))[TOKEN_FIELD]) == MAX_BODY_BYTES - len(f"{TOKEN_FIELD}=")
    with pytest.raises(BodyTooLargeError):
        fields(of(MAX_BODY_BYTES + 1))


def test_the_limit_is_8_kib_of_bytes_not_characters() -> None:
    with pytest.raises(BodyTooLargeError):
        fields(event(f"{TOKEN_FIELD}=" + "é" * 4096))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f"{TOKEN_FIELD}=a&{TOKEN_FIELD}=a", FORM),
        (f"{TOKEN_FIELD}=&{TOKEN_FIELD}=a", FORM),
        (f'{{"{TOKEN_FIELD}": "a", "{TOKEN_FIELD}": "a"}}', JSON),
    ],
)
def test_a_field_that_is_repeated_is_rejected_even_if_one_is_blank(body: str, content_type: str) -> None:
    with pytest.raises(BodyUnreadableError):
        fields(event(body, content_type))


def test_other_fields_may_be_repeated_and_are_not_read() -> None:
    assert fields(event(f"a=1&a=2&{TOKEN_FIELD}=token")) == {TOKEN_FIELD: "token"}


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "1", "{", f'{{"{TOKEN_FIELD}": null}}', "[" * 8000])
def test_json_other_than_an_object_of_strings_is_rejected(body: str) -> None:
    with pytest.raises(BodyUnreadableError):
        fields(event(body, JSON))
