"""From event to call to response, with the one table of errors and statuses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

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
from resolver.http_event import CODE_FIELD, OFFER_TYPE_FIELD, TOKEN_FIELD, fields, header, prefers_json
from resolver.log_line import LogLine
from resolver.pages import CONTENT_SECURITY_POLICY, TEXTS, WELCOME, Pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resolver.http_event import Event
    from resolver.registration import Registrar

    Response = dict[str, Any]

RETRY_AFTER_SECONDS = 5
"""Longer than a burst that the SDK's own retries could not bridge, shorter than a buyer's patience."""

STATUSES: Mapping[type[RegistrationError], HTTPStatus] = {
    TokenMissingError: HTTPStatus.BAD_REQUEST,
    BodyUnreadableError: HTTPStatus.BAD_REQUEST,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ContentTypeRejectedError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    TokenInvalidError: HTTPStatus.BAD_REQUEST,
    TokenExpiredError: HTTPStatus.GONE,
    ProductRejectedError: HTTPStatus.FORBIDDEN,
    MarketplaceThrottledError: HTTPStatus.SERVICE_UNAVAILABLE,
    MarketplaceUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    MarketplaceDeniedError: HTTPStatus.INTERNAL_SERVER_ERROR,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClaimRejectedError: HTTPStatus.NOT_FOUND,
}

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}


class Handler:
    """Responds to API Gateway's events (HTTP API, payload format 2.0).

    Args:
        registrar: the rules.
        pages: writes the pages for browsers.
    """

    def __init__(self, *, registrar: Registrar, pages: Pages) -> None:
        self._registrar = registrar
        self._pages = pages
        self._routes = {
            "GET /register": self._show,
            "HEAD /register": self._show,
            "POST /register": self._register,
            "POST /claim": self._claim,
        }

    def __call__(self, event: Event, _context: object) -> Response:
        """Handle one request; an error that is not in the table is left to the runtime, which counts it."""
        if _is_below(event):
            return _json(HTTPStatus.NOT_FOUND, {"message": "Not Found"})
        return self._routes[_route(event)](event)

    def _show(self, event: Event) -> Response:
        page = self._pages.page(WELCOME)
        return _html(HTTPStatus.OK, "" if _route(event).startswith("HEAD ") else page)

    def _register(self, event: Event) -> Response:
        line = _line(event)
        as_json = prefers_json(event)
        try:
            form = fields(event)
            location = self._registrar.register(
                form.get(TOKEN_FIELD, ""), offer_type=form.get(OFFER_TYPE_FIELD), line=line
            )
        except RegistrationError as error:
            return self._fail(error, line, as_json=as_json)
        if as_json:
            response = _json(HTTPStatus.OK, {"landing_page": location})
        else:
            response = _response(HTTPStatus.SEE_OTHER, {"Location": location}, "")
        line.write(response["statusCode"])
        return response

    def _claim(self, event: Event) -> Response:
        line = _line(event)
        try:
            registration = self._registrar.claim(
                fields(event).get(CODE_FIELD, ""), idempotency_key=header(event, "idempotency-key"), line=line
            )
        except RegistrationError as error:
            return self._fail(error, line, as_json=True)
        line.write(HTTPStatus.OK)
        return _json(HTTPStatus.OK, registration)

    def _fail(self, error: RegistrationError, line: LogLine, *, as_json: bool) -> Response:
        status, text = STATUSES[type(error)], TEXTS[type(error)]
        line.outcome, line.reason = error.outcome, error.reason
        line.write(status)
        if as_json:
            response = _json(
                status,
                {
                    "type": "about:blank",
                    "title": status.phrase,
                    "status": status,
                    "detail": f"{text.happened} {text.to_do}",
                    "outcome": error.outcome,
                    "reference": line.api_request_id,
                },
                media_type="application/problem+json",
            )
        else:
            response = _html(status, self._pages.page(text, reference=line.api_request_id))
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            response["headers"]["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response


def _route(event: Event) -> str:
    """Return the route's key; ``/register/`` arrives by the route for all that is below ``/register``."""
    route: str = event["routeKey"]
    return route.removesuffix("/{proxy+}")


def _is_below(event: Event) -> bool:
    """Tell whether the path goes on after the slash; API Gateway has no route that ends in one."""
    return bool((event.get("pathParameters") or {}).get("proxy", "").strip("/"))


def _line(event: Event) -> LogLine:
    return LogLine(route=_route(event), api_request_id=event["requestContext"]["requestId"])


def _html(status: HTTPStatus, page: str) -> Response:
    return _response(
        status,
        {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": CONTENT_SECURITY_POLICY},
        page,
    )


def _json(status: HTTPStatus, content: Mapping[str, object], *, media_type: str = "application/json") -> Response:
    return _response(status, {"Content-Type": media_type}, json.dumps(content))


def _response(status: HTTPStatus, headers: Mapping[str, str], body: str) -> Response:
    return {"statusCode": int(status), "headers": {**_HEADERS, **headers}, "body": body}
