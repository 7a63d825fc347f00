"""A run of the reconciler over many agreements: its calls, CPU and memory, without the waits of its pace.

Each run is a process of its own against the Marketplace stand-in and a DynamoDB server. The first run finds that every
event was missed, the second one that all is as it should be.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import boto3

from benchmarks.measurements import Measurement
from constructs_lib.subscriptions._functions import RECONCILER
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn, MovableClock
from local.emulated.faulty_dynamodb import dynamodb_process
from local.product import PRODUCT_CODE
from reconciler.composition import compose
from reconciler.pace import PER_SECOND, Pace
from reconciler.settings import Settings

CPU_GOAL = 1.2
MEMORY_GOAL = 1.2

_NOW = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_SETTINGS = {
    "PRODUCTS": json.dumps([PRODUCT_CODE]),
    "REGISTRATIONS_TABLE": "registrations",
    "RECONCILIATION_TABLE": "reconciliation",
    "LOST_BUYER_DELAY_SECONDS": "3600",
}


class _Run(NamedTuple):
    missed: int
    cpu: float
    peak: int
    calls: dict[str, int]


def measure(*, few: int, many: int) -> list[Measurement]:
    """Measure runs over few and over many agreements.

    Args:
        few: how many agreements.
        many: how many more are compared with them.
    """
    runs = {agreements: _runs(agreements) for agreements in (few, many)}
    (first, second), (first_of_few, second_of_few) = runs[many], runs[few]
    calls = sum(second.calls.values()) / many
    slowest = max(count / PER_SECOND[operation] for operation, count in second.calls.items() if operation in PER_SECOND)
    return [
        Measurement(
            name=f"CPU per agreement, {many} / {few} agreements",
            value=(second.cpu / many) / (second_of_few.cpu / few),
            at_most=CPU_GOAL,
        ),
        Measurement(
            name=f"Peak memory, {many} / {few} agreements", value=first.peak / first_of_few.peak, at_most=MEMORY_GOAL
        ),
        Measurement(name="Peak memory", value=first.peak / 1000, unit="MB"),
        Measurement(name="CPU per agreement", value=second.cpu / many * 1000, unit="ms"),
        Measurement(name="CPU per agreement that every event missed", value=first.cpu / many * 1000, unit="ms"),
        Measurement(name="Calls per agreement", value=calls),
        Measurement(name="Calls per agreement that every event missed", value=sum(first.calls.values()) / many),
        Measurement(name="Agreements per second at the pace", value=many / slowest, unit="/s"),
    ]


def _runs(agreements: int) -> tuple[_Run, _Run]:
    with dynamodb_process() as url, MarketplaceStandIn(clock=MovableClock(lambda: _NOW - timedelta(hours=2))) as market:
        client = boto3.client("dynamodb", endpoint_url=url, **_KEYS)  # type: ignore[call-overload] # a mapping of options
        for table, *names in (
            ("registrations", "CustomerAWSAccountId", "ProductLicense"),
            ("reconciliation", "Name"),
        ):
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                KeySchema=[
                    {"AttributeName": name, "KeyType": "RANGE" if position else "HASH"}
                    for position, name in enumerate(names)
                ],
            )
        for number in range(agreements):
            customer = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=f"{number:012}")
            (_, updated) = market.subscribe(customer, entitlements={"Users": number})
        market.clock.advance(timedelta(hours=2))
        client.put_item(
            TableName="reconciliation",
            Item={"Name": {"S": updated["detail"]["product"]["id"]}, "ProductCode": {"S": PRODUCT_CODE}},
        )
        environment = {
            **os.environ,
            **_CREDENTIALS,
            **_SETTINGS,
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ENDPOINT_URL_MARKETPLACE_AGREEMENT": market.endpoint_url,
            "AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE": market.endpoint_url,
        }
        first, second = (_process(environment) for _ in range(2))
    if (first.missed, second.missed) != (2 * agreements, 0):
        raise RuntimeError(f"the runs found {first.missed} and {second.missed}")
    return first, second


def _process(environment: dict[str, str]) -> _Run:
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.reconciliation"], env=environment, stdout=subprocess.PIPE, check=True
    )
    return _Run(**json.loads(process.stdout))


class _Context:
    invoked_function_arn = "arn:aws:lambda:us-east-1:444455556666:function:reconciler"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _main() -> None:
    """Run the reconciler once, and print what it took."""
    logging.getLogger("reconciler").addHandler(logging.NullHandler())
    pace = Pace(sleep=lambda _: None)
    handler = compose(
        Settings.from_environment(os.environ), models=RECONCILER.folder / "models", pace=pace, now=lambda: _NOW
    )
    before = time.process_time()
    response: dict[str, Any] = handler({}, _Context())
    if response["outcome"] != "finished":
        raise RuntimeError(f"the run was {response}")
    cpu = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"missed": response["missed"], "cpu": cpu, "peak": peak, "calls": pace.calls}))


if __name__ == "__main__":
    _main()
