"""Checks of requests: what buyers and backends are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.verify._check import Check, Result

if TYPE_CHECKING:
    from constructs_lib.verify._check import Deadline
    from constructs_lib.verify._http import Response
    from constructs_lib.verify._subject import Subject

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_MADE_UP = b"x-amzn-marketplace-token=made-up-by-verify"


def register(subject: Subject, stack: str, body: bytes = _MADE_UP) -> Response:
    """Send what a buyer's browser sends, but ask for JSON."""
    return subject.http.send("POST", subject.url("/register", stack), headers=_FORM, body=body)


def _page(subject: Subject, _deadline: Deadline) -> Result:
    response = subject.http.send("GET", subject.url("/register"), headers={"Accept": "text/html"})
    return Result(
        seen=f"{response.status}, {len(response.body)} characters",
        holds=response.status == 200 and "<html" in response.body,
    )


CHECKS = (Check(name="fulfillment-page", expected="GET of the fulfillment URL: 200 and a page", seconds=60, run=_page),)
