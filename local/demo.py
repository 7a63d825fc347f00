"""Deploy `app.py` to a local AWS and act as buyers, printing and checking each step."""

from __future__ import annotations

import re
import sys
import time
from datetime import timedelta
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from constructs_lib.claims import ClaimError
from constructs_lib.testing import MarketplaceCustomer
from local.deployment import deployed, registration_code
from local.local_aws import LocalAwsError
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.deployment import Deployment

_SECONDS = 30


class Demo:
    """Acts as buyers and as the backend, and checks each step.

    Args:
        deployment: the running deployment.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.checks: list[tuple[str, bool]] = []

    def register(self, title: str, customer: MarketplaceCustomer) -> None:
        """Act as a buyer from the button to the claim, and check the stored item."""
        _heading(title)
        deployment = self._deployment
        response = deployment.set_up_account(deployment.marketplace.form(customer))
        location = response.headers.get("Location", "")
        print("  the browser POSTs the form to the fulfillment URL")
        self._check(f"{title}: redirected to the landing page", response.status_code, HTTPStatus.SEE_OTHER)
        if response.status_code != HTTPStatus.SEE_OTHER:
            print(response.text)
            return
        code = registration_code(location)
        print(f"    Location: {location.replace(code, code[:4] + '…')}")

        print("  the product's backend claims the registration")
        unsigned = deployment.http.post(deployment.claim_url, json={"registration_code": code}, timeout=60)
        self._check(f"{title}: an unsigned claim is denied", unsigned.status_code, HTTPStatus.FORBIDDEN)
        try:
            account, outcome = deployment.claim(code)["CustomerAWSAccountId"], "claimed"
        except ClaimError as error:
            account, outcome = "none", str(error)
        self._check(f"{title}: the signed claim succeeds", outcome, "claimed")
        self._check(f"{title}: the backend gets the buyer's account", account, customer.customer_aws_account_id)

        print("  the item in the registrations table")
        items = [
            item
            for item in deployment.registrations()
            if item["CustomerAWSAccountId"] == customer.customer_aws_account_id
        ]
        for item in items:
            for name, value in sorted(item.items()):
                print(f"    {name:21} {value}")
        self._check(f"{title}: one registration", len(items), 1)
        for name, expected in {
            "CustomerIdentifier": customer.customer_identifier,
            "LicenseArn": customer.license_arn,
            "AgreementId": customer.agreement_id,
        }.items():
            self._check(f"{title}: {name} is what Marketplace returned", items[0].get(name), expected)

    def subscribe(self, title: str, customer: MarketplaceCustomer) -> None:
        """Act as a buyer from the purchase to the cancellation, and check what the seller is told."""
        _heading(title)
        deployment, marketplace, account = (
            self._deployment,
            self._deployment.marketplace,
            customer.customer_aws_account_id,
        )
        # From now on: what came before it is lost, as with a rule of the seller's.
        _ = deployment.target
        print("  AWS Marketplace's events, put straight into the queue: an event bus accepts those from AWS only")
        self._deliver(title, marketplace.subscribe(customer, entitlements={"users": 10}))
        item = self._license(account, "Entitlements")
        self._check(f"{title}: the license before the buyer comes", item.get("LicenseStatus"), "ACTIVE")
        self._check(f"{title}: registered before the buyer comes", item.get("RegisteredAt"), None)

        print("  the browser POSTs the form to the fulfillment URL, and the backend claims the registration")
        response = deployment.set_up_account(marketplace.form(customer))
        self._check(f"{title}: redirected to the landing page", response.status_code, HTTPStatus.SEE_OTHER)
        if response.status_code != HTTPStatus.SEE_OTHER:
            print(response.text)
            return
        claimed = deployment.claim(registration_code(response.headers["Location"]))
        self._check(f"{title}: the claim says that the license is", claimed.get("LicenseStatus"), "ACTIVE")
        self._check(f"{title}: users in the claim", _users(claimed), 10)
        self._check_told(title, "Buyer Registered", account)
        self._check_told(title, "Subscription Ready", account)

        print("  the buyer needs more users")
        self._deliver(title, marketplace.change(customer, entitlements={"users": 25}))
        self._check_told(title, "Subscription Changed", account, users=25)

        print("  the buyer cancels")
        self._deliver(title, marketplace.cancel(customer))
        self._check_told(title, "Subscription Ended", account)
        status = self._license(account, "LicenseStatus").get("LicenseStatus")
        self._check(f"{title}: the license in the table", status, "DEPROVISIONED")

    def lose_an_event(self) -> None:
        """Throw away the event that gives a buyer access, let another buyer not come, and let the reconciler run."""
        title = "An event that is lost, and a buyer who never comes"
        _heading(title)
        deployment, marketplace = self._deployment, self._deployment.marketplace
        _ = deployment.target
        self._check(f"{title}: before, the hourly run is", deployment.reconcile()["outcome"], "finished")
        waiting, absent = (MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(2))
        marketplace.clock.advance(timedelta(hours=-2))
        created, updated = marketplace.subscribe(waiting, entitlements={"users": 5})
        print(f"  two hours ago, {waiting.customer_aws_account_id} subscribed and registered")
        deployment.set_up_account(marketplace.form(waiting))
        self._deliver(title, [created])
        print(f"  {updated['detail-type']} is thrown away")
        print(f"  two hours ago, {absent.customer_aws_account_id} subscribed, and never came")
        self._deliver(title, marketplace.subscribe(absent, entitlements={"users": 5}))
        self._license(absent.customer_aws_account_id, "Entitlements")
        marketplace.clock.advance(timedelta(hours=2))
        status = self._license(waiting.customer_aws_account_id, "RegisteredAt").get("LicenseStatus")
        self._check(f"{title}: the license of the one who waits", status, None)

        print("  the hourly run asks for AWS Marketplace's agreements")
        run = deployment.reconcile()
        self._check(f"{title}: the run", run["outcome"], "finished")
        self._check(f"{title}: missed events that it repaired", run["missed"], 1)
        self._check(f"{title}: buyers who never came", run["buyers_lost"], 1)
        findings = {line["outcome"]: line for line in deployment.log_lines("reconciler") if "AgreementId" in line}
        missed, lost = (findings.get(outcome, {}) for outcome in ("license_missed", "buyer_lost"))
        self._check(f"{title}: repaired for", missed.get("CustomerAWSAccountId"), waiting.customer_aws_account_id)
        self._check_told(title, "Subscription Ready", waiting.customer_aws_account_id)
        self._check(f"{title}: who never came", lost.get("CustomerAWSAccountId"), absent.customer_aws_account_id)
        self._check(f"{title}: the agreement to find them by", lost.get("AgreementId"), absent.agreement_id)

    def register_too_late(self) -> None:
        """Act as a buyer whose token has expired."""
        title = "A buyer whose token has expired"
        _heading(title)
        marketplace = self._deployment.marketplace
        form = marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))
        marketplace.clock.advance(timedelta(hours=5))
        print("  five hours later, the browser POSTs the form to the fulfillment URL")
        before = len(self._deployment.registrations())
        response = self._deployment.set_up_account(form)
        self._check(f"{title}: rejected", response.status_code, HTTPStatus.GONE)
        for sentence in re.findall(r"<(?:h1|p)>(?!<)(.*?)</", response.text):
            print(f"    the page says: {unescape(sentence)}")
        self._check(f"{title}: nothing is registered", len(self._deployment.registrations()), before)

    def _deliver(self, title: str, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            kind = event["detail-type"]
            taken = kind if self._deployment.deliver(event) else None
            self._check(f"{title}: the rule puts into the queue", taken, kind)

    def _license(self, account: str, attribute: str) -> Mapping[str, Any]:
        """Return a buyer's license once its item has an attribute, or none if it is not written in time."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            for item in self._deployment.registrations():
                if item["CustomerAWSAccountId"] == account and attribute in item:
                    return item
            time.sleep(0.2)
        return {}

    def _check_told(self, title: str, kind: str, account: str, users: int | None = None) -> None:
        target, deadline = self._deployment.target, time.monotonic() + _SECONDS
        while True:
            event = target.wait_for(kind, account, seconds=deadline - time.monotonic())
            # The amended agreement is a change too, and may come before the new entitlements.
            if event is None or users is None or _users(event["detail"]["registration"]) == users:
                break
        self._check(f"{title}: the seller's target gets", event and event["detail-type"], kind)
        if users is not None:
            self._check(f"{title}: users in it", event and _users(event["detail"]["registration"]), users)

    def _check(self, description: str, got: object, expected: object) -> None:
        same = got == expected
        self.checks.append((description, same))
        print(
            f"    {'ok    ' if same else 'FAILED'} {description.partition(': ')[2]}: {'none' if got is None else got}"
            + ("" if same else f", expected {expected}")
        )


def _users(registration: Mapping[str, Any]) -> int | None:
    for entitlement in registration.get("Entitlements", []):
        if entitlement["Dimension"] == "users":
            users: int = entitlement["Value"]["IntegerValue"]
            return users
    return None


def _heading(text: str) -> None:
    print(f"\n{text}", flush=True)


def main() -> int:
    """Run the demo; 0 if every check passed."""
    print(
        "Deploying app.py to a local AWS (cdk bootstrap, cdk deploy); the first run takes half a minute …", flush=True
    )
    start = time.monotonic()
    try:
        with deployed() as deployment:
            print(f"Deployed in {time.monotonic() - start:.0f} s")
            print(f"  fulfillment URL  {deployment.fulfillment_url}")
            print(f"  claim URL        {deployment.claim_url}")
            demo = Demo(deployment)
            demo.register("A buyer with a license", MarketplaceCustomer.licensed(PRODUCT_CODE))
            demo.register("A buyer without a license", MarketplaceCustomer.legacy(PRODUCT_CODE))
            demo.subscribe("A buyer from the purchase to the cancellation", MarketplaceCustomer.licensed(PRODUCT_CODE))
            demo.lose_an_event()
            demo.register_too_late()
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1
    failed = [description for description, same in demo.checks if not same]
    print(f"\n{len(demo.checks) - len(failed)} of {len(demo.checks)} checks passed; everything is stopped")
    for description in failed:
        print(f"  FAILED {description}")
    return 1 if failed else 0
