"""A thousand buyers while a fifth of all calls to Marketplace and DynamoDB fails, and simultaneous requests."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.emulated.api_events import form_event, json_event
from local.emulated.faulty_dynamodb import Fault, FaultyDynamoDB, dynamodb_process
from local.product import PRODUCT_CODE
from resolver.composition import compose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from constructs_lib.testing import MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings
    from tests.functional.conftest import Tables

    Response = dict[str, Any]

SEED = 20160114
BUYERS = 1000
PARTS = 2
"""Each a test of its own, so that two cores share the buyers."""
WORKERS = 8
FAILING = 0.2
PATIENCE = 15
STORE_FAULTS = [Fault.THROUGHPUT_EXCEEDED, Fault.THROTTLED, Fault.SERVER_ERROR, Fault.CLOSED, Fault.ANSWER_LOST]
MARKETPLACE_FAULTS = ["throttle", "fail", "close_connection"]
TIMES = ("RegisteredAt", "LastRegisteredAt")


@pytest.fixture(scope="module")
def dynamodb_url() -> Iterator[str]:
    with dynamodb_process() as url:
        yield url


@pytest.fixture
def dynamodb(dynamodb_url: str) -> Iterator[FaultyDynamoDB]:
    with FaultyDynamoDB(dynamodb_url) as proxy:
        yield proxy


@pytest.fixture
def new_resolver(
    dynamodb: FaultyDynamoDB,
    endpoints: None,  # noqa: ARG001 - sets the environment
    settings: Settings,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Handler]:
    """Start another execution environment, as Lambda does for every call that comes while others run."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint_url)
    return lambda: compose(settings, models=models)


@dataclass(frozen=True, kw_only=True)
class Buyer:
    customer: MarketplaceCustomer
    free_trial: bool
    event_comes_first: bool
    product_writes: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.customer.customer_aws_account_id, f"{PRODUCT_CODE}#{self.customer.license_arn or ''}"

    @property
    def registration(self) -> dict[str, str]:
        """The registration that a claim must get, without its times."""
        attributes = {
            "CustomerAWSAccountId": self.customer.customer_aws_account_id,
            "ProductCode": PRODUCT_CODE,
            "LicenseArn": self.customer.license_arn,
            "AgreementId": self.customer.agreement_id,
            "CustomerIdentifier": self.customer.customer_identifier,
            "OfferType": "free-trial" if self.free_trial else None,
        }
        return {name: value for name, value in attributes.items() if value is not None}

    @property
    def written_by_others(self) -> dict[str, str]:
        attributes = {"LicenseState": self.event_comes_first, "TenantId": self.product_writes}
        return {name: f"{name} of {self.key}" for name, written in attributes.items() if written}


def buyers(chance: random.Random, numbers: range) -> list[Buyer]:
    """Return buyers of which two in five are legacy; of the other three, two share an account."""
    customers: list[MarketplaceCustomer] = []
    for number in numbers[::5]:
        accounts = [f"{number + index:012}" for index in (0, 1, 2, 3, 3)]
        makers = [MarketplaceCustomer.legacy] * 2 + [MarketplaceCustomer.licensed] * 3
        customers += [
            make(PRODUCT_CODE, customer_aws_account_id=account) for make, account in zip(makers, accounts, strict=True)
        ]
    chance.shuffle(customers)
    return [
        Buyer(
            customer=customer,
            free_trial=chance.random() < 0.2,
            event_comes_first=chance.random() < 0.1,
            product_writes=chance.random() < 0.3,
        )
        for customer in customers
    ]


@dataclass(kw_only=True)
class People:
    """Buyers with their browsers, and the product's backend; they retry whatever failed."""

    resolver: Handler
    marketplace: MarketplaceStandIn
    chance: random.Random
    statuses: Counter[int] = field(default_factory=Counter)

    def register(self, buyer: Buyer, form: dict[str, str]) -> str:
        """Post the form until it is accepted, a fresh one if its token has expired."""
        for _ in range(PATIENCE):
            self._let_marketplace_fail()
            response = self.resolver(form_event(form), None)
            self.statuses[response["statusCode"]] += 1
            if response["statusCode"] == 303:
                return code_of(response)
            if response["statusCode"] == 410:
                form = self.marketplace.form(buyer.customer, free_trial=buyer.free_trial)
            else:
                assert response["statusCode"] == 503
        raise AssertionError("the buyer gave up")

    def claim(self, code: str) -> Response:
        """Claim the code as one claimant, and retry while the status is 503."""
        key = str(uuid.UUID(int=self.chance.getrandbits(128)))
        for _ in range(PATIENCE):
            response = claim(self.resolver, code, key)
            self.statuses[response["statusCode"]] += 1
            if response["statusCode"] != 503:
                return response
        raise AssertionError("the backend gave up")

    def _let_marketplace_fail(self) -> None:
        while self.chance.random() < FAILING:
            getattr(self.marketplace, self.chance.choice(MARKETPLACE_FAULTS))()
        if self.chance.random() < 0.02:
            self.marketplace.refuse(code="ExpiredTokenException")


def code_of(response: Response) -> str:
    code: str
    (code,) = parse_qs(urlsplit(response["headers"]["Location"]).query)["registration_code"]
    return code


def claim(resolver: Handler, code: str, key: str) -> Response:
    return resolver(json_event("POST /claim", {"registration_code": code}, **{"idempotency-key": key}), None)


def without(attributes: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_buyers_lose_nothing_while_a_fifth_of_all_calls_fails(
    new_resolver: Callable[[], Handler],
    dynamodb: FaultyDynamoDB,
    marketplace: MarketplaceStandIn,
    tables: Tables,
    part: int,
) -> None:
    count = BUYERS // PARTS
    seed = SEED + part * WORKERS
    all_buyers = buyers(random.Random(seed), range(part * count, (part + 1) * count))
    dynamodb.inject_at_random(FAILING, STORE_FAULTS, random.Random(seed))
    first_registered: dict[tuple[str, str], str] = {}

    def write(buyer: Buyer, name: str) -> None:
        if name not in buyer.written_by_others:
            return
        account, product_license = buyer.key
        tables.client.update_item(
            TableName=tables.registrations,
            Key={"CustomerAWSAccountId": {"S": account}, "ProductLicense": {"S": product_license}},
            UpdateExpression=f"SET {name} = :value",
            ExpressionAttributeValues={":value": {"S": buyer.written_by_others[name]}},
        )

    def act(people: People, buyer: Buyer) -> None:
        write(buyer, "LicenseState")
        form = marketplace.form(buyer.customer, free_trial=buyer.free_trial)
        codes = [people.register(buyer, form)]
        responses = [people.claim(codes[0])]
        write(buyer, "TenantId")
        codes.append(people.register(buyer, form))
        responses.append(people.claim(codes[1]))

        assert [response["statusCode"] for response in responses] == [200, 200]
        first, second = (json.loads(response["body"]) for response in responses)
        assert without(first, *TIMES) == without(second, *TIMES) == buyer.registration
        assert first["RegisteredAt"] == second["RegisteredAt"]
        assert first["LastRegisteredAt"] < second["LastRegisteredAt"]
        first_registered[buyer.key] = first["RegisteredAt"]
        # Only one of the two: a rejected claim costs three calls too.
        assert people.claim(people.chance.choice(codes))["statusCode"] == 404

    def work(worker: int) -> Counter[int]:
        people = People(resolver=new_resolver(), marketplace=marketplace, chance=random.Random(seed + worker))
        for buyer in all_buyers[worker::WORKERS]:
            act(people, buyer)
        return people.statuses

    with ThreadPoolExecutor(WORKERS) as pool:
        statuses = sum(pool.map(work, range(WORKERS)), Counter[int]())

    stored = {
        (item["CustomerAWSAccountId"], item["ProductLicense"]): item for item in tables.items(tables.registrations)
    }
    assert len(tables.items(tables.registrations)) == len(all_buyers) == count
    assert {key: without(item, "ProductLicense", *TIMES) for key, item in stored.items()} == {
        buyer.key: buyer.registration | buyer.written_by_others for buyer in all_buyers
    }
    assert {key: item["RegisteredAt"] for key, item in stored.items()} == first_registered
    # All of this under faults of every kind, at the given rate; some outlasted the SDK's retries.
    assert set(dynamodb.injected) == set(STORE_FAULTS)
    assert dynamodb.injected.total() / dynamodb.calls.total() == pytest.approx(FAILING, rel=0.1)
    outcomes = Counter(call.outcome for call in marketplace.calls)
    expired = outcomes.pop("ExpiredTokenException")
    assert set(outcomes) == {"OK", "ThrottlingException", "InternalServiceErrorException", "ConnectionClosed"}
    assert 1 - outcomes["OK"] / outcomes.total() == pytest.approx(FAILING, rel=0.2)
    assert statuses == {303: 2 * count, 200: 2 * count, 404: count, 410: expired, 503: statuses[503]}
    assert statuses[503] > 100 // PARTS


def at_once(*calls: Callable[[], Response]) -> list[Response]:
    start = Barrier(len(calls))

    def run(call: Callable[[], Response]) -> Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_form_posted_twice_at_the_same_moment_is_one_registration(
    new_resolver: Callable[[], Handler], marketplace: MarketplaceStandIn, tables: Tables
) -> None:
    one, other = new_resolver(), new_resolver()
    for round_ in range(1, 31):
        form = marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))

        responses = at_once(partial(one, form_event(form), None), partial(other, form_event(form), None))

        assert len(tables.items(tables.registrations)) == round_
        codes = {code_of(response) for response in responses}
        assert len(codes) == 2
        claimed = [claim(one, code, "backend") for code in codes]
        assert {response["statusCode"] for response in claimed} == {200}
        assert len({json.loads(response["body"])["RegisteredAt"] for response in claimed}) == 1


def test_one_of_sixteen_simultaneous_claimants_gets_the_registration(
    new_resolver: Callable[[], Handler], marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    claimants = {f"backend-{number}": new_resolver() for number in range(16)}
    for _ in range(10):
        code = code_of(claimants["backend-0"](form_event(marketplace.form(licensed)), None))

        responses = at_once(*(partial(claim, resolver, code, key) for key, resolver in claimants.items()))

        assert Counter(response["statusCode"] for response in responses) == {200: 1, 404: 15}
