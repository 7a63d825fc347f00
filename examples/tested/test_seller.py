"""Tests of a seller's own stack and code before a deployment, without an AWS account."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template

from constructs_lib.claims import ClaimClient
from constructs_lib.testing import MarketplaceCustomer
from examples.tested.app import build
from examples.tested.backend import StartAgainError, landing_page, tenant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

    from constructs_lib.testing import ClaimStandIn, MarketplaceStandIn

PRODUCT = "a290sds6en72spp3ph4q890es"


@pytest.fixture(scope="module")
def template() -> Template:
    app = App()
    build(app)
    return Template.from_json(app.synth().get_stack_by_name("Tested").template)


@pytest.fixture
def metering(marketplace_stand_in: MarketplaceStandIn) -> MarketplaceMeteringClient:  # noqa: ARG001 - the SDK finds it
    return boto3.client("meteringmarketplace")


@pytest.fixture
def claims(claim_stand_in: ClaimStandIn) -> Iterator[ClaimClient]:
    with ClaimClient(claim_stand_in.claim_url, timeout=1) as client:
        yield client


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
    marketplace_stand_in: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    first = MarketplaceCustomer.licensed(PRODUCT)
    second = MarketplaceCustomer.licensed(PRODUCT, customer_aws_account_id=first.customer_aws_account_id)

    tenants = [tenant_of(marketplace_stand_in.mint(buyer), metering=metering) for buyer in (first, second)]

    assert tenants == [first.license_arn, second.license_arn]


def test_without_a_license_the_account_is_the_tenant(
    marketplace_stand_in: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    buyer = MarketplaceCustomer.legacy(PRODUCT)

    assert tenant_of(marketplace_stand_in.mint(buyer), metering=metering) == buyer.customer_aws_account_id


def test_a_throttled_call_is_retried(
    marketplace_stand_in: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    buyer = MarketplaceCustomer.licensed(PRODUCT)
    marketplace_stand_in.throttle()

    assert tenant_of(marketplace_stand_in.mint(buyer), metering=metering) == buyer.license_arn
    assert [call.outcome for call in marketplace_stand_in.calls] == ["ThrottlingException", "OK"]


def test_a_buyer_with_an_expired_token_starts_again(
    marketplace_stand_in: MarketplaceStandIn, metering: MarketplaceMeteringClient
) -> None:
    token = marketplace_stand_in.mint(MarketplaceCustomer.licensed(PRODUCT))
    marketplace_stand_in.clock.advance(timedelta(hours=5))

    with pytest.raises(StartAgainError):
        tenant_of(token, metering=metering)


def test_the_landing_page_shows_the_buyers_account(claim_stand_in: ClaimStandIn, claims: ClaimClient) -> None:
    buyer = MarketplaceCustomer.licensed(PRODUCT)
    claim_stand_in.throttle()

    assert buyer.customer_aws_account_id in landing_page(claim_stand_in.mint(buyer), claims=claims)
    assert [call.status for call in claim_stand_in.calls] == [429, 200]


def test_a_lost_response_does_not_lose_the_registration(claim_stand_in: ClaimStandIn, claims: ClaimClient) -> None:
    buyer = MarketplaceCustomer.licensed(PRODUCT)
    claim_stand_in.close_connection()

    assert buyer.customer_aws_account_id in landing_page(claim_stand_in.mint(buyer), claims=claims)


def test_a_buyer_with_an_expired_code_starts_again(claim_stand_in: ClaimStandIn, claims: ClaimClient) -> None:
    code = claim_stand_in.mint(MarketplaceCustomer.licensed(PRODUCT))
    claim_stand_in.clock.advance(timedelta(minutes=11))

    assert "Set up your account" in landing_page(code, claims=claims)


def test_during_an_outage_the_buyer_is_asked_to_reload(claim_stand_in: ClaimStandIn, claims: ClaimClient) -> None:
    code = claim_stand_in.mint(MarketplaceCustomer.licensed(PRODUCT))
    claim_stand_in.fail(times=100)

    assert "reload this page" in landing_page(code, claims=claims)
