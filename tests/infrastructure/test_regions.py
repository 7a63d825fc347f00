"""A region that this release does not know is a warning; one that is none, or has no Marketplace, is an error."""

from __future__ import annotations

import pytest
from aws_cdk import Annotations, App, Environment, Stack
from aws_cdk.assertions import Annotations as Found
from aws_cdk.assertions import Match

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE


def registered(marketplace_region: str, *, stack_region: str | None = None) -> Stack:
    stack = Stack(App(), "Stack", env=Environment(region=stack_region))
    MarketplaceRegistration(
        stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, marketplace_region=marketplace_region
    )
    return stack


@pytest.mark.parametrize(
    ("region", "stack_region"),
    [
        ("ca-west-1", None),  # known to the CDK, without Marketplace today
        ("ca-west-1", "us-east-1"),
        ("xx-new-1", "us-east-1"),  # newer than the CDK
        ("eusc-fr-west-2", None),
    ],
)
def test_a_region_that_may_be_newer_than_the_release_is_a_warning_that_can_be_acknowledged(
    region: str, stack_region: str | None
) -> None:
    stack = registered(region, stack_region=stack_region)

    says = Match.string_like_regexp(f"^marketplace_region: this release knows no ResolveCustomer in '{region}'")
    Found.from_stack(stack).has_warning("/Stack/Registration", says)

    stack = registered(region, stack_region=stack_region)
    Annotations.of(stack).acknowledge_warning("marketplace-registration:marketplaceRegion")
    assert not Found.from_stack(stack).find_warning("*", Match.any_value())


@pytest.mark.parametrize("region", ["eu-west-1", "eusc-de-east-1", "cn-northwest-1"])
def test_a_region_with_marketplace_is_no_warning(region: str) -> None:
    assert not Found.from_stack(registered(region)).find_warning("*", Match.any_value())


@pytest.mark.parametrize("stack_region", [None, "us-east-1", "xx-new-1"])
@pytest.mark.parametrize(
    "region", ["", "us-east-1a", "US-EAST-1", "us_east_1", "useast1", "us-gov-west-1", "us-iso-east-1", "us-east-1 "]
)
def test_what_is_no_region_or_has_no_marketplace_in_its_partition_is_rejected(
    region: str, stack_region: str | None
) -> None:
    with pytest.raises(ValueError, match=r"^marketplace_region: must be one of af-south-1, .*, got '.*'$"):
        registered(region, stack_region=stack_region)


@pytest.mark.parametrize(
    ("region", "stack_region"),
    [("ca-west-1", "eusc-de-east-1"), ("us-east-1", "eusc-de-east-1"), ("eusc-de-east-1", "eu-central-1")],
)
def test_a_region_of_another_partition_is_rejected(region: str, stack_region: str) -> None:
    with pytest.raises(ValueError, match=rf"^marketplace_region: must be in the partition of .* '{region}'$"):
        registered(region, stack_region=stack_region)


def test_a_stack_in_a_region_newer_than_the_cdk_takes_any_region_of_marketplace() -> None:
    assert not Found.from_stack(registered("us-east-1", stack_region="xx-new-1")).find_warning("*", Match.any_value())
