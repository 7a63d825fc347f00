"""The routes of `/register` as the local AWS matches them.

It matches a greedy variable to at least one character, so `/register//` stands for `/register/` here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local.deployment import Deployment


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("slashes", ["", "//"])
def test_the_fulfillment_url_responds_to_people_and_link_checkers(
    deployment: Deployment, method: str, slashes: str
) -> None:
    page = deployment.http.get(deployment.fulfillment_url, timeout=60)

    response = deployment.http.request(method, f"{deployment.fulfillment_url}{slashes}", timeout=60)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == page.headers["Content-Type"]
    assert response.content == (page.content if method == "GET" else b"")


def test_what_is_below_the_fulfillment_url_is_not_found(deployment: Deployment) -> None:
    assert deployment.http.get(f"{deployment.fulfillment_url}/.env", timeout=60).status_code == 404
