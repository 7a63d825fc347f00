"""Reading of the untrusted part of an API Gateway event (HTTP API, payload format 2.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from resolver.errors import BodyTooLargeError, BodyUnreadableError, ContentTypeRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Event = Mapping[str, Any]

TOKEN_FIELD = "x-amzn-marketplace-token"  # noqa: S105 - the field's name, not a token
OFFER_TYPE_FIELD = "x-amzn-marketplace-offer-type"
CODE_FIELD = "registration_code"
_FIELDS = frozenset({TOKEN_FIELD, OFFER_TYPE_FIELD, CODE_FIELD})

MAX_BODY_BYTES = 8 * 1024
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def fields(event: Event) -> dict[str, str]:
    """Return the fields that this library knows from a form or a JSON object; others are not read.

    Form fields are decoded exactly once: a token may contain ``+``, ``/`` and ``=``.

    Raises:
        ContentTypeRejectedError, BodyTooLargeError, BodyUnreadableError: the body is invalid.
    """
    content_type = _content_type(event)
    if content_type not in ("application/x-www-form-urlencoded", "application/json"):
        raise ContentTypeRejectedError
    # RecursionError is how the JSON parser rejects a body of brackets.
    try:
        body = _body(event).decode()
        if content_type == "application/json":
            read = json.loads(body, object_pairs_hook=_known)
        else:
            read = _known(parse_qsl(body, keep_blank_values=True, errors="strict"))
    except (ValueError, RecursionError):
        raise BodyUnreadableError from None
    if not isinstance(read, dict) or not all(_is_text(value) for value in read.values()):
        raise BodyUnreadableError
    return read


def header(event: Event, name: str) -> str | None:
    """Return a header's value; API Gateway gives names in lower case and joins repeated headers with a comma."""
    value: str | None = event.get("headers", {}).get(name)
    return value


def prefers_json(event: Event) -> bool:
    """Tell whether to respond in JSON rather than HTML: by ``Accept`` (RFC 9110), otherwise as the request was sent."""
    accept = header(event, "accept") or "*/*"
    as_json = max(_quality(accept, "application/json"), _quality(accept, "application/problem+json"))
    as_html = _quality(accept, "text/html")
    if as_json == as_html:
        return _content_type(event) == "application/json"
    return as_json > as_html


def _content_type(event: Event) -> str:
    return (header(event, "content-type") or "").partition(";")[0].strip().lower()


def _body(event: Event) -> bytes:
    text: str = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise BodyUnreadableError from None
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    return body


def _known(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, value in pairs:
        if name in _FIELDS:
            # Reject duplicates: choosing either value could be wrong.
            if name in known:
                raise BodyUnreadableError
            known[name] = value
    return known


def _is_text(value: object) -> bool:
    """Tell whether a value is a string that can be passed on; JSON can spell half a surrogate pair."""
    return isinstance(value, str) and value.isprintable()


def _quality(accept: str, media_type: str) -> float:
    """Return the weight of the most specific media range that covers ``media_type``, 0 if none does."""
    specificities = {"*/*": 0, media_type.partition("/")[0] + "/*": 1, media_type: 2}
    best, quality = -1, 0.0
    for entry in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in entry.split(";"))
        specificity = specificities.get(media_range, -1)
        if specificity > best:
            weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
            best, quality = specificity, float(weight) if _QUALITY.fullmatch(weight) else 0.0
    return quality
