"""A product that runs in another account than the one that published it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.deployment import Deployment
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from constructs_lib.testing import MarketplaceStandIn
    from local.local_aws import LocalAws


@pytest.fixture(scope="module")
def outputs(deployment: Deployment) -> dict[str, dict[str, str]]:
    return deployment.aws.deploy(app="python -m tests.e2e.two_sides")


def side(aws: LocalAws, marketplace: MarketplaceStandIn, outputs: dict[str, str]) -> Deployment:
    return Deployment(aws=aws, marketplace=marketplace, api_id=outputs["ApiId"], table_name=outputs["TableName"])


def test_the_sellers_role_redeems_and_is_assumed_once_for_many_registrations(
    deployment: Deployment, outputs: dict[str, dict[str, str]]
) -> None:
    product = side(deployment.aws, deployment.marketplace, outputs["Product"])
    deployment.marketplace.reset()

    answers = [
        product.set_up_account(product.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))) for _ in range(5)
    ]

    assert [answer.status_code for answer in answers] == [303] * 5
    assert len(product.registrations()) == 5
    # Every assume-role makes an access key of its own.
    assert len({call.access_key_id for call in deployment.marketplace.calls}) == 1


def test_a_role_that_is_refused_is_the_operators_to_mend(
    deployment: Deployment, outputs: dict[str, dict[str, str]]
) -> None:
    misled = side(deployment.aws, deployment.marketplace, outputs["Misled"])
    deployment.marketplace.reset()

    answer = misled.http.post(
        misled.fulfillment_url,
        data=misled.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)),
        headers={"Accept": "application/json"},
        timeout=60,
    )

    assert (answer.status_code, answer.json()["outcome"]) == (500, "marketplace_refused")
    assert "arn:" not in answer.text
    assert deployment.marketplace.calls == ()
