"""Deploys `app.py` to a local AWS, is a buyer, and says at each step what a person would want to know."""

from __future__ import annotations

import re
import sys
import time
from datetime import timedelta
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING

from constructs_lib.testing import MarketplaceCustomer
from local.deployment import deployed, registration_code
from local.local_aws import LocalAwsError
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from local.deployment import Deployment


class Demo:
    """Acts and checks, and counts what differs.

    Args:
        deployment: what runs.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.checks: list[tuple[str, bool]] = []

    def register(self, title: str, customer: MarketplaceCustomer) -> None:
        """Be a buyer from the button to the claim, and look at the row."""
        _heading(title)
        deployment = self._deployment
        answer = deployment.set_up_account(deployment.marketplace.form(customer))
        location = answer.headers.get("Location", "")
        print("  the browser POSTs the form to the fulfillment URL")
        self._check(f"{title}: sent on to the landing page", answer.status_code, HTTPStatus.SEE_OTHER)
        if answer.status_code != HTTPStatus.SEE_OTHER:
            print(answer.text)
            return
        code = registration_code(location)
        print(f"    Location: {location.replace(code, code[:4] + '…')}")

        print("  the product's backend claims the code")
        unsigned = deployment.http.post(deployment.claim_url, json={"registration_code": code}, timeout=60)
        self._check(f"{title}: an unsigned claim is refused", unsigned.status_code, HTTPStatus.FORBIDDEN)
        claim = deployment.claim(code)
        self._check(f"{title}: the signed claim is answered", claim.status_code, HTTPStatus.OK)
        registration = claim.json()
        self._check(
            f"{title}: the backend knows the buyer",
            registration.get("CustomerAWSAccountId"),
            customer.customer_aws_account_id,
        )

        print("  the registrations table has")
        rows = [
            row for row in deployment.registrations() if row["CustomerAWSAccountId"] == customer.customer_aws_account_id
        ]
        for row in rows:
            for name, value in sorted(row.items()):
                print(f"    {name:21} {value}")
        self._check(f"{title}: one registration", len(rows), 1)
        for name, given in {
            "CustomerIdentifier": customer.customer_identifier,
            "LicenseArn": customer.license_arn,
            "AgreementId": customer.agreement_id,
        }.items():
            self._check(f"{title}: {name} as Marketplace gave it", rows[0].get(name), given)

    def come_late(self) -> None:
        """Be a buyer whose token has expired."""
        title = "A buyer who comes too late"
        _heading(title)
        marketplace = self._deployment.marketplace
        form = marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))
        marketplace.clock.advance(timedelta(hours=5))
        print("  five hours later, the browser POSTs the form to the fulfillment URL")
        before = len(self._deployment.registrations())
        answer = self._deployment.set_up_account(form)
        self._check(f"{title}: refused", answer.status_code, HTTPStatus.GONE)
        for sentence in re.findall(r"<(?:h1|p)>(?!<)(.*?)</", answer.text):
            print(f"    the page says: {unescape(sentence)}")
        self._check(f"{title}: nothing is registered", len(self._deployment.registrations()), before)

    def _check(self, what: str, got: object, expected: object) -> None:
        same = got == expected
        self.checks.append((what, same))
        print(
            f"    {'ok ' if same else 'NOT'} {what.partition(': ')[2]}: {'not given' if got is None else got}"
            + ("" if same else f", not {expected}")
        )


def _heading(text: str) -> None:
    print(f"\n{text}", flush=True)


def main() -> int:
    """Run the demo; 0 if everything was as it should be."""
    print(
        "Deploying app.py to a local AWS (cdk bootstrap, cdk deploy); the first time takes half a minute …", flush=True
    )
    start = time.monotonic()
    try:
        with deployed() as deployment:
            print(f"Deployed in {time.monotonic() - start:.0f} s")
            print(f"  fulfillment URL  {deployment.fulfillment_url}")
            print(f"  claim URL        {deployment.claim_url}")
            demo = Demo(deployment)
            demo.register("A customer of a product with licenses", MarketplaceCustomer.licensed(PRODUCT_CODE))
            demo.register("A legacy customer", MarketplaceCustomer.legacy(PRODUCT_CODE))
            demo.come_late()
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1
    failed = [what for what, same in demo.checks if not same]
    print(f"\n{len(demo.checks) - len(failed)} of {len(demo.checks)} checks were as they should be; all is stopped")
    for what in failed:
        print(f"  NOT {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
