"""Event to call to response, and the one table of errors and statuses."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from resolver.http_event import (
    CODE_FIELD,
    OFFER_TYPE_FIELD,
    TOKEN_FIELD,
    BodyTooLargeError,
    BodyUnreadableError,
    ContentTypeRefusedError,
    fields,
    header,
    prefers_json,
)
from resolver.pages import CONTENT_SECURITY_POLICY, Pages
from resolver.registration import (
    ClaimRefusedError,
    LogLine,
    MarketplaceRefusedError,
    MarketplaceThrottledError,
    MarketplaceUnavailableError,
    ProductRefusedError,
    Registrar,
    RegistrationError,
    StoreUnavailableError,
    TokenExpiredError,
    TokenInvalidError,
    TokenMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resolver.http_event import Event

    Response = dict[str, Any]

logger = logging.getLogger("resolver")

RETRY_AFTER_SECONDS = 5
"""Longer than a burst that the SDK's own retries could not bridge, shorter than a buyer's patience."""

_SET_UP_AGAIN = "Go back to AWS Marketplace and press “Set up your account” again."
_NOTHING_LOST = "Your subscription is not affected."
_TRY_AGAIN = (
    f"{_NOTHING_LOST} Wait a few seconds, then go back to AWS Marketplace and press “Set up your account” again."
)
_SELLERS_FAULT = (
    f"{_NOTHING_LOST} Please contact the seller's support; trying again will not help until they have acted."
)


class Answer(NamedTuple):
    """What a caller is told about an error: a status, the logged outcome, and two sentences."""

    status: HTTPStatus
    outcome: str
    happened: str
    to_do: str


ANSWERS: Mapping[type[RegistrationError], Answer] = {
    TokenMissingError: Answer(
        HTTPStatus.BAD_REQUEST, "bad_request", "This registration came without its token.", _SET_UP_AGAIN
    ),
    BodyUnreadableError: Answer(
        HTTPStatus.BAD_REQUEST, "bad_request", "This registration could not be read.", _SET_UP_AGAIN
    ),
    BodyTooLargeError: Answer(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "bad_request", "This registration is too large.", _SET_UP_AGAIN
    ),
    ContentTypeRefusedError: Answer(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "bad_request",
        "This registration is neither a form nor JSON.",
        _SET_UP_AGAIN,
    ),
    TokenInvalidError: Answer(
        HTTPStatus.BAD_REQUEST, "token_invalid", "AWS Marketplace does not know this registration.", _SET_UP_AGAIN
    ),
    TokenExpiredError: Answer(
        HTTPStatus.GONE, "token_expired", "This registration has expired.", f"{_NOTHING_LOST} {_SET_UP_AGAIN}"
    ),
    ProductRefusedError: Answer(
        HTTPStatus.FORBIDDEN,
        "product_refused",
        "This registration is for a product that is not set up here.",
        f"{_NOTHING_LOST} Please contact the seller's support.",
    ),
    MarketplaceThrottledError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "marketplace_throttled", "AWS Marketplace is busy.", _TRY_AGAIN
    ),
    MarketplaceUnavailableError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "marketplace_unavailable", "AWS Marketplace did not answer.", _TRY_AGAIN
    ),
    MarketplaceRefusedError: Answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "marketplace_refused",
        "Your registration could not be completed: something is wrong on the seller's side.",
        _SELLERS_FAULT,
    ),
    StoreUnavailableError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", "Your registration could not be saved.", _TRY_AGAIN
    ),
    ClaimRefusedError: Answer(
        HTTPStatus.NOT_FOUND,
        "claim_refused",
        "This registration code is unknown, used or expired.",
        "Send the buyer back to AWS Marketplace to press “Set up your account” again.",
    ),
}

_LEVELS = {2: logging.INFO, 3: logging.INFO, 4: logging.WARNING, 5: logging.ERROR}

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}


class Handler:
    """Answers API Gateway's events (HTTP API, payload format 2.0).

    Args:
        registrar: the rules.
        pages: what a browser sees.
    """

    def __init__(self, *, registrar: Registrar, pages: Pages) -> None:
        self._registrar = registrar
        self._pages = pages
        self._routes = {
            "GET /register": self._show,
            "POST /register": self._register,
            "POST /claim": self._claim,
        }

    def __call__(self, event: Event, _context: object) -> Response:
        """Answer one request; an error that is not in the table is left to the runtime, which counts it."""
        return self._routes[event["routeKey"]](event)

    def _show(self, _event: Event) -> Response:
        return _html(
            HTTPStatus.OK,
            self._pages.page(
                happened="Set up your account from AWS Marketplace",
                to_do="Open your subscription on AWS Marketplace and press “Set up your account”.",
            ),
        )

    def _register(self, event: Event) -> Response:
        line: LogLine = {}
        try:
            form = fields(event)
            location = self._registrar.register(
                form.get(TOKEN_FIELD, ""), offer_type=form.get(OFFER_TYPE_FIELD), line=line
            )
        except RegistrationError as error:
            return self._refuse(event, error, line, as_json=prefers_json(event))
        if prefers_json(event):
            response = _json(HTTPStatus.OK, {"landing_page": location})
        else:
            response = _response(HTTPStatus.SEE_OTHER, {"Location": location}, "")
        _log(event, line, HTTPStatus(response["statusCode"]))
        return response

    def _claim(self, event: Event) -> Response:
        line: LogLine = {}
        try:
            registration = self._registrar.claim(
                fields(event).get(CODE_FIELD, ""), idempotency_key=header(event, "idempotency-key"), line=line
            )
        except RegistrationError as error:
            return self._refuse(event, error, line, as_json=True)
        _log(event, line, HTTPStatus.OK)
        return _json(HTTPStatus.OK, registration)

    def _refuse(self, event: Event, error: RegistrationError, line: LogLine, *, as_json: bool) -> Response:
        answer = ANSWERS[type(error)]
        line["outcome"] = answer.outcome
        if error.reason:
            line["reason"] = error.reason
        _log(event, line, answer.status)
        reference = _reference(event)
        if as_json:
            response = _json(
                answer.status,
                {
                    "type": "about:blank",
                    "title": answer.status.phrase,
                    "status": answer.status,
                    "detail": f"{answer.happened} {answer.to_do}",
                    "outcome": answer.outcome,
                    "reference": reference,
                },
                media_type="application/problem+json",
            )
        else:
            response = _html(
                answer.status, self._pages.page(happened=answer.happened, to_do=answer.to_do, reference=reference)
            )
        if answer.status is HTTPStatus.SERVICE_UNAVAILABLE:
            response["headers"]["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response


def _reference(event: Event) -> str:
    """Return API Gateway's own id of the request, which its access log and this function's log line both carry."""
    reference: str = event["requestContext"]["requestId"]
    return reference


def _log(event: Event, line: LogLine, status: HTTPStatus) -> None:
    logger.log(
        _LEVELS[status // 100],
        event["routeKey"],
        extra={**line, "status": int(status), "api_request_id": _reference(event)},
    )


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
