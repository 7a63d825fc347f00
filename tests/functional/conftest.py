"""The handler as it is deployed, between the Marketplace stand-in and a DynamoDB, both over HTTP."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
from local.emulated.cloudwatch import resolved
from local.product import PRODUCT_CODE
from resolver.composition import compose
from resolver.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

    from resolver.handler import Handler

LANDING_PAGE = "https://app.example.com/signup?plan=pro"
REGION = "eu-west-1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Each core begins with one of the longest tests, or at the end one waits while the other runs them.
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        longest = [item for item in items if item.name.startswith("test_a_thousand_buyers")]
        items[:] = [item for item in items if item not in longest]
        for number, item in enumerate(longest):
            items.insert(number * len(items) // workers, item)


@pytest.fixture(scope="session")
def asset() -> Path:
    return RESOLVER.folder


@pytest.fixture(scope="session")
def models(asset: Path) -> Path:
    return asset / "models"


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def lambda_environment(function: Mapping[str, Any], name: str, references: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a function of a template has in Lambda: the template's and Lambda's own.

    Args:
        function: the function's properties.
        name: of the function.
        references: names of the template's resources, by logical id.
    """
    logging = function["LoggingConfig"]
    return {
        **{key: resolved(value, references) for key, value in function["Environment"]["Variables"].items()},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        # Lambda's own default with JSON.
        "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", "INFO"),
    }


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def process_environment(asset: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a process that runs the asset: what Lambda sets, what the construct does, and more."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(asset),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "PRODUCTS": json.dumps({PRODUCT_CODE: LANDING_PAGE}),
        "CLAIM_TTL_SECONDS": "600",
        "MARKETPLACE_REGION": "us-east-1",
        **variables,
    }


@pytest.fixture
def marketplace() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn() as stand_in:
        yield stand_in


@dataclass(frozen=True)
class Tables:
    client: DynamoDBClient
    registrations: str
    claims: str

    def items(self, table: str) -> list[dict[str, Any]]:
        return [
            {name: next(iter(value.values())) for name, value in item.items()}
            for item in self.client.scan(TableName=table, ConsistentRead=True)["Items"]
        ]

    def registration(self) -> dict[str, Any]:
        (item,) = self.items(self.registrations)
        return item


_numbers = itertools.count()


@pytest.fixture
def tables(dynamodb_url: str) -> Tables:
    client = boto3.client("dynamodb", endpoint_url=dynamodb_url)
    number = next(_numbers)
    tables = Tables(client, f"registrations-{number}", f"claims-{number}")
    for table, *names in (
        (tables.registrations, "CustomerAWSAccountId", "ProductLicense"),
        (tables.claims, "CodeHash"),
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
    return tables


@pytest.fixture
def settings(tables: Tables) -> Settings:
    return Settings(
        products={PRODUCT_CODE: LANDING_PAGE},
        registrations_table=tables.registrations,
        claims_table=tables.claims,
        claim_ttl=timedelta(minutes=10),
        marketplace_region="us-east-1",
        seller_role_arn=None,
        seller_role_external_id=None,
        support_url="mailto:support@example.com",
        login_url="https://app.example.com/login?next=/&a=b",
    )


@pytest.fixture
def endpoints(marketplace: MarketplaceStandIn, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", marketplace.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    # The SDK waits up to a second between two attempts.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture
def resolver(endpoints: None, settings: Settings, models: Path) -> Handler:  # noqa: ARG001 - sets the environment
    return compose(settings, models=models)


@pytest.fixture
def licensed() -> MarketplaceCustomer:
    return MarketplaceCustomer.licensed(PRODUCT_CODE)


@pytest.fixture
def legacy() -> MarketplaceCustomer:
    return MarketplaceCustomer.legacy(PRODUCT_CODE)
