"""The deployed claim route: the cases that the claim stand-in passes too, in tests/functional/test_claim_cases.py."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from local.deployment import registration_code
from local.local_aws import REGION
from tests.claim_cases import CASES, GATEWAY_CASES, SUBSCRIPTION_CASES, ClaimResponse
from tests.e2e.deployments import register_for_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from constructs_lib.testing import MarketplaceCustomer
    from local.deployment import Deployment
    from tests.claim_cases import Case, SubscribedRoute


class DeployedRoute:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def register(self, customer: MarketplaceCustomer, *, free_trial: bool = False) -> str:
        form = self._deployment.marketplace.form(customer, free_trial=free_trial)
        return registration_code(register_for_json(self._deployment, form).json()["landing_page"])

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, signed: bool
    ) -> ClaimResponse:
        url = self._deployment.claim_url.removesuffix("/claim") + path
        request = AWSRequest(method, url, data=body, headers=dict(headers))
        credentials = self._deployment.backend.get_credentials()
        if signed and credentials:
            SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        response = self._deployment.http.request(method, url, data=body, headers=dict(request.headers), timeout=60)
        return ClaimResponse(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.text,
        )

    def expire(self, code: str) -> None:
        dynamodb = self._deployment.aws.client("dynamodb")
        (table,) = (
            name for name in dynamodb.list_tables()["TableNames"] if name.startswith("Seller-RegistrationStoreClaims")
        )
        dynamodb.update_item(
            TableName=table,
            Key={"CodeHash": {"S": hashlib.sha256(code.encode()).hexdigest()}},
            UpdateExpression="SET ExpiresAt = :past",
            ConditionExpression="attribute_exists(CodeHash)",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )

    def subscribe(self, customer: MarketplaceCustomer, entitlements: Mapping[str, Any]) -> None:
        events = self._deployment.marketplace.subscribe(customer, entitlements=entitlements)
        self._arrive(customer, events, lambda item: "Entitlements" in item)

    def cancel(self, customer: MarketplaceCustomer) -> None:
        events = self._deployment.marketplace.cancel(customer)
        self._arrive(customer, events, lambda item: item.get("LicenseStatus") == "DEPROVISIONED")

    def _arrive(
        self,
        customer: MarketplaceCustomer,
        events: Iterable[Mapping[str, Any]],
        recorded: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        for event in events:
            self._deployment.deliver(event)
        deadline = time.monotonic() + 30
        while not any(
            recorded(item)
            for item in self._deployment.registrations()
            if item["CustomerAWSAccountId"] == customer.customer_aws_account_id
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def fail(self) -> None:
        raise NotImplementedError("the other tests need the claims table")


@pytest.mark.parametrize("case", [*CASES, *GATEWAY_CASES], ids=lambda case: case.__name__)
def test_the_deployed_route(case: Case, deployment: Deployment) -> None:
    case(DeployedRoute(deployment))


@pytest.mark.parametrize("case", SUBSCRIPTION_CASES, ids=lambda case: case.__name__)
def test_the_deployed_route_where_subscriptions_are_recorded(
    case: Callable[[SubscribedRoute], None], deployment: Deployment
) -> None:
    case(DeployedRoute(deployment))
