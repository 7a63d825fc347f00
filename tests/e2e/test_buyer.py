"""A buyer's journey through a real `cdk deploy` of app.py, with role policies enforced and an older SDK."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.claims import ClaimRejectedError
from constructs_lib.testing import MarketplaceCustomer
from local.deployment import registration_code
from local.product import PRODUCT_CODE
from resolver.errors import TokenExpiredError
from resolver.pages import TEXTS
from tests.e2e.deployments import register_for_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.deployment import Deployment
    from local.landing_page import LandingPage


def registration_of(customer: MarketplaceCustomer, deployment: Deployment) -> dict[str, Any]:
    account = customer.customer_aws_account_id
    (registration,) = (item for item in deployment.registrations() if item["CustomerAWSAccountId"] == account)
    return registration


def test_the_sdk_of_the_local_aws_does_not_know_agreement_ids() -> None:
    # Otherwise the next test proves nothing.
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

    response = deployment.set_up_account(deployment.marketplace.form(customer))

    assert response.status_code == 303
    assert response.headers["Location"].startswith(f"{landing_page.url}?registration_code=")
    stored = registration_of(customer, deployment)
    assert (stored["LicenseArn"], stored["AgreementId"]) == (customer.license_arn, customer.agreement_id)
    claimed = deployment.claim(registration_code(response.headers["Location"]))
    assert claimed == {name: value for name, value in stored.items() if name != "ProductLicense"}


def test_a_legacy_buyer_is_registered(deployment: Deployment) -> None:
    customer = MarketplaceCustomer.legacy(PRODUCT_CODE)

    assert deployment.set_up_account(deployment.marketplace.form(customer)).status_code == 303

    assert registration_of(customer, deployment)["CustomerIdentifier"] == customer.customer_identifier


def test_the_resolvers_log_has_the_line_of_a_registration_and_of_its_claim(deployment: Deployment) -> None:
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    form = deployment.marketplace.form(customer)
    before = len(deployment.log_lines())

    code = registration_code(deployment.set_up_account(form).headers["Location"])
    deployment.claim(code)

    lines = deployment.log_lines()[before:]
    account = customer.customer_aws_account_id
    assert [(line["message"], line["level"], line["status"], line["outcome"]) for line in lines] == [
        ("POST /register", "INFO", 303, "registered"),
        ("POST /claim", "INFO", 200, "claimed"),
    ]
    assert {line["CustomerAWSAccountId"] for line in lines} == {account}
    assert not any(secret in str(lines) for secret in (code, *form.values()))


def test_a_registration_code_is_claimed_once(deployment: Deployment) -> None:
    response = deployment.set_up_account(deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)))
    code = registration_code(response.headers["Location"])

    assert deployment.claim(code)
    with pytest.raises(ClaimRejectedError):
        deployment.claim(code)


def test_a_buyer_with_an_expired_token_is_told_to_start_again(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))
    deployment.marketplace.clock.advance(timedelta(hours=5))

    response = deployment.set_up_account(form)

    assert response.status_code == 410
    assert TEXTS[TokenExpiredError].to_do in response.text


def test_another_sellers_product_is_rejected(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed("another-sellers-product"))

    assert deployment.set_up_account(form).status_code == 403


def test_a_json_caller_gets_json(deployment: Deployment) -> None:
    form = deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))

    response = deployment.http.post(deployment.fulfillment_url, json=form, timeout=60)

    assert response.status_code == 200
    assert registration_code(response.json()["landing_page"])


def test_the_fulfillment_url_shows_a_page_to_the_listings_review(deployment: Deployment) -> None:
    response = deployment.http.get(deployment.fulfillment_url, timeout=60)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


def test_api_gateway_rejects_a_claim_without_a_signature(deployment: Deployment) -> None:
    response = deployment.http.post(deployment.claim_url, json={"registration_code": "x" * 43}, timeout=60)

    assert response.status_code == 403


CASES = {
    "forged": (400, "token_invalid"),
    "throttled": (503, "marketplace_throttled"),
    "failing": (503, "marketplace_unavailable"),
    "slow": (503, "marketplace_unavailable"),
    "denied": (500, "marketplace_refused"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_gets_its_response_before_the_function_times_out(deployment: Deployment, case: str) -> None:
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

    response = register_for_json(deployment, form)

    marketplace.clear_faults()
    assert (response.status_code, response.json()["outcome"]) == CASES[case]
    assert ("Retry-After" in response.headers) == (response.status_code == 503)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"


def test_one_of_sixteen_simultaneous_claims_succeeds(deployment: Deployment) -> None:
    response = deployment.set_up_account(deployment.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE)))
    code = registration_code(response.headers["Location"])

    def succeeds(_: int) -> bool:
        try:
            return bool(deployment.claim(code))
        except ClaimRejectedError:
            return False

    with ThreadPoolExecutor(16) as claimants:
        assert sum(claimants.map(succeeds, range(16))) == 1
