"""Deploy `app.py` to a local AWS as the demo does, and keep it running for your browser."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING

from constructs_lib.testing import MarketplaceCustomer, MarketplaceOffer
from local.deployment import deployed
from local.landing_page import LandingPage
from local.local_aws import REGION, LocalAwsError
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from local.deployment import Deployment


def offers() -> list[MarketplaceOffer]:
    """Return one buyer of each kind."""
    licensed = MarketplaceCustomer.licensed(PRODUCT_CODE)
    return [
        MarketplaceOffer(label="A buyer with a license", customer=licensed),
        MarketplaceOffer(
            label="The same account with a second license",
            customer=MarketplaceCustomer.licensed(
                PRODUCT_CODE, customer_aws_account_id=licensed.customer_aws_account_id
            ),
        ),
        MarketplaceOffer(label="A buyer without a license", customer=MarketplaceCustomer.legacy(PRODUCT_CODE)),
        MarketplaceOffer(
            label="A buyer on a free trial", customer=MarketplaceCustomer.licensed(PRODUCT_CODE), free_trial=True
        ),
        MarketplaceOffer(
            label="A buyer of another seller's product, who is rejected",
            customer=MarketplaceCustomer.licensed("9another0seller0product9"),
        ),
    ]


def instructions(deployment: Deployment, landing_page_url: str) -> str:
    """Return which pages to open and what to expect.

    Args:
        deployment: the running deployment.
        landing_page_url: to which the resolver redirects buyers.
    """
    client = deployment.aws.environment()
    credentials = [f"{name}={client[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    where = ["--endpoint-url", deployment.aws.endpoint_url, "--ca-bundle", str(deployment.aws.certificate)]
    scan = ["aws", "dynamodb", "scan", "--region", REGION, *where, "--table-name", deployment.table_name]
    # The machine's own profile, proxy or session would take precedence over these values.
    command = f'env -i PATH="$PATH" {shlex.join([*credentials, *scan])}'
    return f"""
Open in a browser on this machine

  1. the fulfillment URL    {deployment.fulfillment_url}
  2. the landing page       {landing_page_url}
     The browser warns about both, because their certificate is self-signed: choose “Advanced” and continue.
  3. AWS Marketplace        {deployment.marketplace.page_url}
     This is the Marketplace stand-in: choose a buyer and press “Set up your account”.

The registrations table is {deployment.table_name}. To read it with the AWS CLI, in another terminal:

  {command}

Ctrl-C stops everything
"""


def main() -> int:
    """Deploy and keep running; 0 once stopped, 1 if the deployment failed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        print(
            "Deploying app.py to a local AWS (cdk bootstrap, cdk deploy); the first run takes half a minute …",
            flush=True,
        )
        start = time.monotonic()
        with LandingPage() as landing_page, deployed(landing_page=landing_page.url) as deployment:
            # Created now, in a single thread: two concurrent claims would create the backend's role twice.
            _ = deployment.backend
            landing_page.start(claim=deployment.claim, certificate=deployment.aws.certificate, key=deployment.aws.key)
            deployment.marketplace.publish(fulfillment_url=deployment.fulfillment_url, offers=offers())
            print(f"Deployed in {time.monotonic() - start:.0f} s")
            print(instructions(deployment, landing_page.url), flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("\nEverything is stopped")
        return 0
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1


def _stop(_number: int, _frame: object) -> None:
    # A second Ctrl-C must not interrupt the clean-up that the first one started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
