"""The claim stand-in behaves as the resolver does: the same cases run against both."""

from __future__ import annotations

import hashlib
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from constructs_lib.testing import ClaimStandIn, MarketplaceCustomer, MarketplaceStandIn
from local.emulated.api_events import form_event, http_event
from resolver.composition import compose
from sdk.deadline import Deadline
from subscriptions.rules import LicenseEvent
from subscriptions.store import DynamoDBStore
from tests.claim_cases import CASES, GATEWAY_CASES, OUTAGE_CASES, SUBSCRIPTION_CASES, ClaimResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from resolver.handler import Handler
    from resolver.settings import Settings
    from tests.claim_cases import Case, SubscribedRoute
    from tests.functional.conftest import Tables

CREDENTIAL = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/execute-api/aws4_request"
SIGNED = f"{CREDENTIAL}, SignedHeaders=host, Signature={'0' * 64}"


class ResolverRoute:
    def __init__(self, resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables) -> None:
        self._resolver, self._marketplace, self._tables = resolver, marketplace, tables

    def register(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> str:
        response = self._resolver(form_event(self._marketplace.form(customer, free_trial=free_trial)), None)
        location: str = response["headers"]["Location"]
        return parse_qs(urlsplit(location).query)["registration_code"][0]

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, signed: bool
    ) -> ClaimResponse:
        assert signed, "API Gateway calls the resolver for signed claims only"
        event = http_event(
            f"{method} {path}", headers={name.lower(): value for name, value in headers.items()}, body=body
        )
        response = self._resolver(event, None)
        return ClaimResponse(
            response["statusCode"],
            {name.lower(): value for name, value in response["headers"].items()},
            response["body"],
        )

    def expire(self, code: str) -> None:
        self._tables.client.update_item(
            TableName=self._tables.claims,
            Key={"CodeHash": {"S": hashlib.sha256(code.encode()).hexdigest()}},
            UpdateExpression="SET ExpiresAt = :past",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )

    def subscribe(self, customer: MarketplaceCustomer, entitlements: Mapping[str, Any]) -> None:
        marketplace = self._marketplace
        (*_, event) = marketplace.subscribe(customer, entitlements=entitlements)
        license_event = self._license_event(customer, "ACTIVE", event["time"])
        store = self._subscribers_store
        assert store.write_license(license_event)
        values = {bool: "BooleanValue", int: "IntegerValue"}
        assert store.write_entitlements(
            license_event,
            [
                {"Dimension": dimension, "Value": {values[type(value)]: value}}
                for dimension, value in entitlements.items()
            ],
        )

    def cancel(self, customer: MarketplaceCustomer) -> None:
        (*_, event) = self._marketplace.cancel(customer)
        assert self._subscribers_store.write_license(self._license_event(customer, "DEPROVISIONED", event["time"]))

    @property
    def _subscribers_store(self) -> DynamoDBStore:
        return DynamoDBStore(self._tables.client, table=self._tables.registrations, deadline=Deadline())

    def _license_event(self, customer: MarketplaceCustomer, status: Any, at: str) -> LicenseEvent:
        return LicenseEvent(
            at=at,
            account=customer.customer_aws_account_id,
            product_code=customer.product_code,
            license_arn=str(customer.license_arn),
            status=status,
        )

    def fail(self) -> None:
        self._tables.client.delete_table(TableName=self._tables.claims)


class StandInRoute:
    def __init__(self, claims: ClaimStandIn) -> None:
        self._claims = claims

    def register(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> str:
        return self._claims.mint(customer, free_trial=free_trial)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, signed: bool
    ) -> ClaimResponse:
        authorization = {"Authorization": SIGNED} if signed else {}
        with closing(HTTPConnection("127.0.0.1", urlsplit(self._claims.claim_url).port, timeout=10)) as connection:
            connection.request(method, path, body, {**headers, **authorization})
            response = connection.getresponse()
            return ClaimResponse(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read().decode(),
            )

    def expire(self, code: str) -> None:  # noqa: ARG002 - time passes for all of them
        self._claims.clock.advance(timedelta(minutes=10))

    def subscribe(self, customer: MarketplaceCustomer, entitlements: Mapping[str, Any]) -> None:
        self._claims.set_license(customer, "ACTIVE", entitlements=entitlements)

    def cancel(self, customer: MarketplaceCustomer) -> None:
        self._claims.set_license(customer, "DEPROVISIONED")

    def fail(self) -> None:
        self._claims.fail()


@pytest.fixture
def resolver_route(resolver: Handler, marketplace: MarketplaceStandIn, tables: Tables) -> ResolverRoute:
    return ResolverRoute(resolver, marketplace, tables)


@pytest.fixture
def stand_in_route() -> Iterator[StandInRoute]:
    with ClaimStandIn() as claims:
        yield StandInRoute(claims)


@pytest.mark.parametrize("case", [*CASES, *OUTAGE_CASES], ids=lambda case: case.__name__)
def test_the_resolver(case: Case, resolver_route: ResolverRoute) -> None:
    case(resolver_route)


@pytest.mark.parametrize("case", [*CASES, *GATEWAY_CASES, *OUTAGE_CASES], ids=lambda case: case.__name__)
def test_the_stand_in(case: Case, stand_in_route: StandInRoute) -> None:
    case(stand_in_route)


@pytest.mark.parametrize("case", SUBSCRIPTION_CASES, ids=lambda case: case.__name__)
def test_the_resolver_where_subscriptions_are_recorded(
    case: Callable[[SubscribedRoute], None],
    resolver: Handler,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    settings: Settings,
    models: Path,
) -> None:
    del resolver  # for what it sets in the environment
    subscribed = compose(settings._replace(subscriptions=True), models=models)
    case(ResolverRoute(subscribed, marketplace, tables))


@pytest.mark.parametrize("case", SUBSCRIPTION_CASES, ids=lambda case: case.__name__)
def test_the_stand_in_where_subscriptions_are_recorded(
    case: Callable[[SubscribedRoute], None], stand_in_route: StandInRoute
) -> None:
    case(stand_in_route)
