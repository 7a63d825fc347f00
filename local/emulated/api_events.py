"""Events as API Gateway sends them: HTTP API, payload format 2.0, header names in lower case."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ID = "JKJaXmPLvHcESHA="
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
JSON_CALLER = {"accept": "application/json"}


def http_event(
    route: str, *, headers: Mapping[str, str] | None = None, body: str | bytes | None = None
) -> dict[str, Any]:
    """Return a request; a body of bytes is encoded in base64."""
    method, path = route.split()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example.com", **(headers or {})},
        "requestContext": {
            "apiId": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": REQUEST_ID,
            "routeKey": route,
            "stage": "$default",
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return event


def form_event(fields: Mapping[str, str], **headers: str) -> dict[str, Any]:
    """Return the browser's POST, its body in base64 as an HTTP API passes forms."""
    return http_event(
        "POST /register",
        headers={**BROWSER, "content-type": "application/x-www-form-urlencoded", **headers},
        body=urlencode(fields).encode(),
    )


def json_event(route: str, content: object, **headers: str) -> dict[str, Any]:
    """Return a request with a JSON body, from a caller that prefers JSON."""
    return http_event(
        route, headers={**JSON_CALLER, "content-type": "application/json", **headers}, body=json.dumps(content)
    )
