"""A product that runs in an account other than the publishing account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.product import PRODUCT_CODE
from tests.e2e.deployments import another, register_for_json

if TYPE_CHECKING:
    from local.deployment import Deployment


@pytest.fixture(scope="module")
def outputs(deployment: Deployment) -> dict[str, dict[str, str]]:
    return deployment.aws.deploy(app="python -m tests.e2e.two_sides")


def test_the_sellers_role_is_assumed_once_for_many_registrations(
    deployment: Deployment, outputs: dict[str, dict[str, str]]
) -> None:
    product = another(deployment, outputs["Product"])
    deployment.marketplace.reset()

    responses = [
        product.set_up_account(product.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))) for _ in range(5)
    ]

    assert [response.status_code for response in responses] == [303] * 5
    assert len(product.registrations()) == 5
    # Each AssumeRole call creates a new access key.
    assert len({call.access_key_id for call in deployment.marketplace.calls}) == 1


def test_a_denied_role_needs_the_operator(deployment: Deployment, outputs: dict[str, dict[str, str]]) -> None:
    misled = another(deployment, outputs["Misled"])
    deployment.marketplace.reset()

    response = register_for_json(misled, misled.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)))

    assert (response.status_code, response.json()["outcome"]) == (500, "marketplace_refused")
    assert "arn:" not in response.text
    assert deployment.marketplace.calls == ()
