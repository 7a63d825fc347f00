"""The way of a buyer through a real `cdk deploy` of app.py, with role policies enforced and an older SDK."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.deployment import registration_code
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.deployment import Deployment
    from local.landing_page import LandingPage


def row(deployment: Deployment, customer: MarketplaceCustomer) -> dict[str, Any]:
    (row,) = (
        row for row in deployment.registrations() if row["CustomerAWSAccountId"] == customer.customer_aws_account_id
    )
    return row


def test_the_local_aws_has_an_sdk_that_knows_no_agreement_id() -> None:
    # Otherwise the next test shows nothing.
    python = Path(__file__).parents[2] / ".local-aws/bin/python"
    code = (
        "import botocore.session as s; m = s.get_session().get_service_model('meteringmarketplace');"
        "print(*m.operation_model('ResolveCustomer').output_shape.members)"
    )

    members = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "CustomerAWSAccountId" in members
    assert "Metadata" not in members


def test_a_licensed_buyer_is_registered_and_claimed(deployment: Deployment, landing_page: LandingPage) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    answer = deployment.set_up_account(deployment.marketplace.form(customer))

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{landing_page.url}?registration_code=")
    stored = row(deployment, customer)
    assert (stored["LicenseArn"], stored["AgreementId"]) == (customer.license_arn, customer.agreement_id)
    claim = deployment.claim(registration_code(answer.headers["Location"]))
    assert claim.status_code == 200
    assert claim.json() == {name: value for name, value in stored.items() if name != "ProductLicense"}


def test_a_legacy_buyer_is_registered(deployment: Deployment) -> None:
    customer = MarketplaceCustomer.legacy(PRODUCT_CODE)

    assert deployment.set_up_account(deployment.marketplace.form(customer)).status_code == 303

    assert row(deployment, customer)["CustomerIdentifier"] == customer.customer_identifier


def test_a_code_is_claimed_once(deployment: Deployment) -> None:
    answer = deployment.set_up_account(deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)))
    code = registration_code(answer.headers["Location"])

    assert [deployment.claim(code).status_code for _ in range(2)] == [200, 404]


def test_a_buyer_who_comes_too_late_is_sent_back(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))
    deployment.marketplace.clock.advance(timedelta(hours=5))

    answer = deployment.set_up_account(form)

    assert answer.status_code == 410
    assert "Go back to AWS Marketplace" in answer.text


def test_another_sellers_product_is_refused(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed("somebody-elses"))

    assert deployment.set_up_account(form).status_code == 403


def test_a_json_caller_gets_json(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))

    answer = deployment.http.post(deployment.fulfillment_url, json=form, timeout=60)

    assert answer.status_code == 200
    assert registration_code(answer.json()["landing_page"])


def test_the_fulfillment_url_answers_the_review_of_the_listing(deployment: Deployment) -> None:
    answer = deployment.http.get(deployment.fulfillment_url, timeout=60)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_claim_without_a_signature_is_refused_before_the_resolver(deployment: Deployment) -> None:
    answer = deployment.http.post(deployment.claim_url, json={"registration_code": "x" * 43}, timeout=60)

    assert answer.status_code == 403


CASES = {
    "forged": (400, "token_invalid"),
    "throttled": (503, "marketplace_throttled"),
    "failing": (503, "marketplace_unavailable"),
    "slow": (503, "marketplace_unavailable"),
    "denied": (500, "marketplace_refused"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_has_its_answer_on_aws_too_and_never_ends_in_a_time_out(deployment: Deployment, case: str) -> None:
    marketplace = deployment.marketplace
    form = marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))
    faults: dict[str, Callable[[], None]] = {
        "forged": lambda: form.update({"x-amzn-marketplace-token": "forged"}),
        "throttled": lambda: marketplace.throttle(times=3),
        "failing": lambda: marketplace.fail(times=3),
        "slow": lambda: marketplace.slow_down(10, times=3),
        "denied": marketplace.refuse,
    }
    faults[case]()

    answer = deployment.http.post(
        deployment.fulfillment_url, data=form, headers={"Accept": "application/json"}, timeout=60
    )

    marketplace.clear_faults()
    assert (answer.status_code, answer.json()["outcome"]) == CASES[case]
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_sixteen_takers_at_once_and_one_gets_it(deployment: Deployment) -> None:
    answer = deployment.set_up_account(deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)))
    code = registration_code(answer.headers["Location"])

    with ThreadPoolExecutor(16) as takers:
        statuses = sorted(claim.status_code for claim in takers.map(deployment.claim, [code] * 16))

    assert statuses == [200] + [404] * 15
