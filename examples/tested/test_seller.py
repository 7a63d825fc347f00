"""Tests of a seller's own stack and code before a deployment, without an AWS account."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template

from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
from examples.tested.app import build
from examples.tested.backend import StartAgainError, tenant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

PRODUCT = "a290sds6en72spp3ph4q890es"


@pytest.fixture(scope="module")
def template() -> Template:
    app = App()
    build(app)
    return Template.from_json(app.synth().get_stack_by_name("Tested").template)


@pytest.fixture
def marketplace() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def metering(marketplace: MarketplaceStandIn, monkeypatch: pytest.MonkeyPatch) -> MarketplaceMeteringClient:
    # The code under test need not know the stand-in: this variable directs the SDK to it.
    monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", marketplace.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return boto3.client("meteringmarketplace", region_name="us-east-1")


def test_the_registrations_table_outlives_the_stack(template: Template) -> None:
    template.has_resource(
        "AWS::DynamoDB::GlobalTable",
        {
            "DeletionPolicy": "Retain",
            "Properties": {"Replicas": [Match.object_like({"DeletionProtectionEnabled": True})]},
        },
    )


def test_every_alarm_notifies_the_operator_on_call(template: Template) -> None:
    (topic,) = template.find_resources("AWS::SNS::Topic")

    template.all_resources_properties("AWS::CloudWatch::Alarm", {"AlarmActions": [{"Ref": topic}]})


def test_the_backend_may_only_claim(template: Template) -> None:
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "Roles": [{"Ref": Match.string_like_regexp("^Backend")}],
            "PolicyDocument": {"Statement": [Match.object_like({"Action": "execute-api:Invoke"})]},
        },
    )


def test_two_licenses_of_one_account_are_two_tenants(
    marketplace: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    first = MarketplaceCustomer.licensed(PRODUCT)
    second = MarketplaceCustomer.licensed(PRODUCT, customer_aws_account_id=first.customer_aws_account_id)

    tenants = [tenant_of(marketplace.mint(buyer), metering=metering) for buyer in (first, second)]

    assert tenants == [first.license_arn, second.license_arn]


def test_without_a_license_the_account_is_the_tenant(
    marketplace: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    buyer = MarketplaceCustomer.legacy(PRODUCT)

    assert tenant_of(marketplace.mint(buyer), metering=metering) == buyer.customer_aws_account_id


def test_a_throttled_call_is_retried(marketplace: MarketplaceStandIn, metering: MarketplaceMeteringClient) -> None:
    buyer = MarketplaceCustomer.licensed(PRODUCT)
    marketplace.throttle()

    assert tenant_of(marketplace.mint(buyer), metering=metering) == buyer.license_arn
    assert [call.outcome for call in marketplace.calls] == ["ThrottlingException", "OK"]


def test_a_buyer_with_an_expired_token_starts_again(
    marketplace: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    token = marketplace.mint(MarketplaceCustomer.licensed(PRODUCT))
    marketplace.clock.advance(timedelta(hours=5))

    with pytest.raises(StartAgainError):
        tenant_of(token, metering=metering)
