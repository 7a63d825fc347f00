"""`/register` with other methods and with a slash at its end, as people and link checkers ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.emulated.api_events import BROWSER, form_event, http_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn

    Handler = Callable[[dict[str, Any], object], dict[str, Any]]

# What API Gateway sends as the greedy variable of `/register/` is not documented: each of these is taken for it.
NOTHING: list[dict[str, Any]] = [
    {},
    {"pathParameters": None},
    {"pathParameters": {}},
    {"pathParameters": {"proxy": ""}},
    {"pathParameters": {"proxy": "/"}},
]


def below(event: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    return {**event, "routeKey": f"{event['routeKey']}/{{proxy+}}", "rawPath": "/register/", **parameters}


@pytest.mark.parametrize("parameters", NOTHING)
def test_a_slash_at_the_end_is_the_same_page(resolver: Handler, parameters: dict[str, Any]) -> None:
    page = http_event("GET /register", headers=BROWSER)

    assert resolver(below(page, parameters), None) == resolver(page, None)


@pytest.mark.parametrize("parameters", [None, *NOTHING])
def test_a_head_is_the_same_as_a_get_without_the_page(resolver: Handler, parameters: dict[str, Any] | None) -> None:
    head = http_event("HEAD /register", headers=BROWSER)

    response = resolver(head if parameters is None else below(head, parameters), None)

    assert response == {**resolver(http_event("GET /register", headers=BROWSER), None), "body": ""}


@pytest.mark.parametrize("parameters", NOTHING)
def test_a_buyer_of_a_listing_with_a_slash_too_many_is_registered(
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    licensed: MarketplaceCustomer,
    caplog: pytest.LogCaptureFixture,
    parameters: dict[str, Any],
) -> None:
    with caplog.at_level("INFO", "resolver"):
        response = resolver(below(form_event(marketplace.form(licensed)), parameters), None)

    assert response["statusCode"] == 303
    (record,) = (record for record in caplog.records if record.name == "resolver")
    # The queries of the runbook and of lost buyers look for it.
    assert record.message == "POST /register"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_is_below_is_not_found(resolver: Handler, marketplace: MarketplaceStandIn, method: str) -> None:
    response = resolver(below(http_event(f"{method} /register"), {"pathParameters": {"proxy": ".env/x"}}), None)

    assert (response["statusCode"], response["body"]) == (404, '{"message": "Not Found"}')
    assert not marketplace.calls
