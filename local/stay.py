"""Deploy `app.py` to a local AWS as the demo does, and keep it running for your browser."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from constructs_lib.testing import MarketplaceCustomer, MarketplaceOffer
from local import signals
from local.deployment import deployed
from local.landing_page import LandingPage
from local.local_aws import REGION, LocalAwsError, PortError
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from local.deployment import Deployment

_POLL_SECONDS = 0.5
USERS = {"users": 10}


class Ports(NamedTuple):
    """The ports of one deployment; 0 chooses a free one."""

    marketplace: int = 8740
    aws: int = 8741
    landing_page: int = 8742


def offers(returning: MarketplaceCustomer) -> list[MarketplaceOffer]:
    """Return a button for each case, in an order in which none depends on another.

    Args:
        returning: a buyer who is registered.
    """
    licensed = MarketplaceCustomer.licensed(PRODUCT_CODE)
    second_license = MarketplaceCustomer.licensed(
        PRODUCT_CODE, customer_aws_account_id=licensed.customer_aws_account_id
    )
    return [
        MarketplaceOffer(
            label="A buyer with a license",
            customer=licensed,
            entitlements=USERS,
            description="Expect 303 and registered, and your landing page. The subscription is being activated until "
            "you send License Updated; then change and cancel it. Pressed again: registered_again.",
        ),
        MarketplaceOffer(
            label="The same account with a second license",
            customer=second_license,
            entitlements=USERS,
            description="Expect 303 and registered: a registration of its own.",
        ),
        MarketplaceOffer(
            label="A buyer without a license",
            customer=MarketplaceCustomer.legacy(PRODUCT_CODE),
            entitlements=USERS,
            description="Expect 303 and registered: products that predate licenses have a customer identifier instead.",
        ),
        MarketplaceOffer(
            label="A buyer on a free trial",
            customer=MarketplaceCustomer.licensed(PRODUCT_CODE),
            free_trial=True,
            entitlements=USERS,
            description="Expect 303 and registered, with the offer type free-trial.",
        ),
        MarketplaceOffer(
            label="A returning buyer",
            customer=returning,
            entitlements=USERS,
            description="Expect 303 and registered_again: this buyer registered right after the deployment, and the "
            "subscription is active.",
        ),
        MarketplaceOffer(
            label="A buyer of another seller's product",
            customer=MarketplaceCustomer.licensed("9another0seller0product9"),
            description="Expect 403 and product_refused: the product is not in the construct's products.",
        ),
        *(
            MarketplaceOffer(
                label=label,
                customer=MarketplaceCustomer.licensed(PRODUCT_CODE),
                error=error,
                description=description,
            )
            for label, error, description in _ERRORS
        ),
    ]


_ERRORS = (
    (
        "An expired registration token",
        "ExpiredTokenException",
        "Expect 410 and token_expired: the buyer waited for hours, and must start again.",
    ),
    (
        "An unknown registration token",
        "InvalidTokenException",
        "Expect 400 and token_invalid: for example a forged token.",
    ),
    (
        "AWS Marketplace throttles",
        "ThrottlingException",
        "Expect 503 with Retry-After and marketplace_throttled, after the resolver's retries.",
    ),
    (
        "AWS Marketplace is down",
        "InternalServiceErrorException",
        "Expect 503 with Retry-After and marketplace_unavailable, after the resolver's retries.",
    ),
    (
        "AWS Marketplace denies your account",
        "AccessDeniedException",
        "Expect 500 and marketplace_refused: another account published the product, or the role lacks permission.",
    ),
)


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
     This is the Marketplace stand-in: choose a case and press “Set up your account”.

The registrations table is {deployment.table_name}. To read it with the AWS CLI, in another terminal:

  {command}

Each case with a buyer also has the buttons of a subscription's life. They put AWS Marketplace's events into the queue
itself, because an event bus accepts those from AWS only.

Ctrl-C stops everything. Until then, here is a line for each request, each event of AWS Marketplace and each event for
you, from the functions' logs; the first are those of the returning buyer, who has just registered:
"""


def lines(log: Sequence[Mapping[str, Any]], printed: set[str]) -> Iterator[str]:
    """Yield the lines that are new in a function's log, as they are printed.

    Args:
        log: the function's log so far.
        printed: what the lines that were yielded before are known by; extended.
    """
    for line in log:
        reference = line.get("api_request_id")
        known_by = reference or json.dumps(line)
        if known_by in printed:
            continue
        printed.add(known_by)
        at = datetime.fromisoformat(line["timestamp"]).astimezone()
        reason = f" ({line['reason']})" if "reason" in line else ""
        facts = {"account": line.get("CustomerAWSAccountId"), "offer type": line.get("OfferType")}
        if line.get("ProductCode") != PRODUCT_CODE:
            facts["product"] = line.get("ProductCode")
        parts = [
            f"{at:%H:%M:%S}",
            f"{line.get('detail_type', line['message']):14}",
            " ".join(str(line[name]) for name in ("status", "outcome") if name in line) + reason,
            *(f"{name} {value}" for name, value in facts.items() if value),
            *([f"reference {reference}"] if reference else []),
        ]
        yield "  ".join(parts)


def main() -> int:
    """Deploy and keep running; 0 once stopped, 1 if the deployment failed."""
    ports = _ports()
    signals.raise_at_the_first()
    try:
        _run(ports)
    except KeyboardInterrupt:
        print("\nEverything is stopped")
        return 0
    except PortError as error:
        hint = "choose other ports: make local LOCAL_PORT=… (the first of three, or 0 for free ones)"
        print(f"{error}; {hint}", file=sys.stderr)
        return 1
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1


def _run(ports: Ports) -> NoReturn:
    print(
        "Deploying app.py to a local AWS (cdk bootstrap, cdk deploy); the first run takes half a minute …",
        flush=True,
    )
    start = time.monotonic()
    with (
        LandingPage(ports.landing_page) as landing_page,
        deployed(marketplace_port=ports.marketplace, aws_port=ports.aws, landing_page=landing_page.url) as deployment,
    ):
        # Created now, in a single thread: two concurrent claims would create the backend's role twice.
        _ = deployment.backend
        landing_page.start(claim=deployment.claim, certificate=deployment.aws.certificate, key=deployment.aws.key)
        returning = MarketplaceCustomer.licensed(PRODUCT_CODE)
        response = deployment.set_up_account(deployment.marketplace.form(returning))
        if response.status_code != HTTPStatus.SEE_OTHER:
            raise LocalAwsError(f"the returning buyer was not registered: status {response.status_code}")
        # From now on it is told of every change.
        target = deployment.target
        marketplace = deployment.marketplace
        marketplace.deliver(marketplace.subscribe(returning, entitlements=USERS), deployment.deliver)
        marketplace.publish(
            fulfillment_url=deployment.fulfillment_url, offers=offers(returning), deliver=deployment.deliver
        )
        print(f"Deployed in {time.monotonic() - start:.0f} s")
        print(instructions(deployment, landing_page.url), flush=True)
        printed: set[str] = set()
        while True:
            for function in ("resolver", "subscriber", "publisher"):
                for line in lines(deployment.log_lines(function), printed):
                    print(line, flush=True)
            for event in target.receive():
                landing_page.tell(event)
            time.sleep(_POLL_SECONDS)


def _ports() -> Ports:
    parser = argparse.ArgumentParser(prog="python -m local.stay", description=__doc__)
    first = Ports().marketplace
    parser.add_argument(
        "--port",
        type=int,
        default=first,
        help=f"the first of three ports on 127.0.0.1, by default {first}; 0 chooses free ones",
    )
    port: int = parser.parse_args().port
    highest = 65535 - len(Ports()) + 1
    if not 0 <= port <= highest:
        parser.error(f"--port must be from 0 to {highest}, got {port}")
    return Ports(*range(port, port + len(Ports()))) if port else Ports(0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
