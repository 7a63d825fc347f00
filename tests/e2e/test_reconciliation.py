"""What the reconciler finds after a real `cdk deploy`, with roles enforced: of events that a disabled rule lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.deployment import Deployment


@pytest.fixture
def disabled_rule(deployment: Deployment) -> Iterator[None]:
    events = deployment.aws.client("events")
    events.disable_rule(Name=deployment._rule)
    yield
    events.enable_rule(Name=deployment._rule)


def items(deployment: Deployment, customer: MarketplaceCustomer) -> dict[str, dict[str, Any]]:
    return {
        item["ProductLicense"]: item
        for item in deployment.registrations()
        if item["CustomerAWSAccountId"] == customer.customer_aws_account_id
    }


@pytest.mark.usefixtures("disabled_rule")
def test_what_a_disabled_rule_lost_is_recorded_by_the_next_run(deployment: Deployment) -> None:
    marketplace, target = deployment.marketplace, deployment.target
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    deployment.reconcile()
    assert deployment.set_up_account(marketplace.form(customer)).status_code == 303
    # Other tests may have shifted the clock; the reconciler's is the computer's.
    to_two_hours_ago = datetime.now(UTC) - timedelta(hours=2) - marketplace.clock()
    marketplace.clock.advance(to_two_hours_ago)
    events = marketplace.subscribe(customer, entitlements={"users": 10})
    marketplace.clock.advance(-to_two_hours_ago)
    assert not any(map(deployment.deliver, events))

    run = deployment.reconcile()

    assert (run["outcome"], run["missed"] >= 2) == ("finished", True)
    key = f"{PRODUCT_CODE}#{customer.license_arn}"
    found = items(deployment, customer)
    assert (found[key]["LicenseStatus"], found[f"#{customer.agreement_id}"]["AgreementStatus"]) == ("ACTIVE", "ACTIVE")
    lines = [
        line
        for line in deployment.log_lines("reconciler")
        if line.get("CustomerAWSAccountId") == customer.customer_aws_account_id
    ]
    assert {(line["outcome"], line["run"]) for line in lines} == {
        ("agreement_missed", "hourly"),
        ("license_missed", "hourly"),
    }
    assert target.wait_for("Subscription Ready", customer.customer_aws_account_id)
    assert deployment.reconcile()["missed"] == 0
