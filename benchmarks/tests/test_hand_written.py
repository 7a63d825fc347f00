"""A measurement against hand-written code is fair only if both create as much."""

from __future__ import annotations

from collections import Counter

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from benchmarks.hand_written import registration
from constructs_lib import MarketplaceRegistration
from constructs_lib.registration._resolver import RESOLVER
from local.product import LANDING_PAGE, PRODUCT_CODE


@pytest.fixture
def written_by_hand() -> Template:
    stack = Stack(App(), "Seller")
    registration(stack, asset=str(RESOLVER.folder))
    return Template.from_stack(stack)


@pytest.fixture
def made_by_the_construct() -> Template:
    stack = Stack(App(), "Seller")
    MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
    return Template.from_stack(stack)


def count_by_type(template: Template) -> Counter[str]:
    return Counter(resource["Type"] for resource in template.to_json()["Resources"].values())


def test_the_hand_written_stack_has_as_many_resources_of_each_type_as_the_construct(
    written_by_hand: Template, made_by_the_construct: Template
) -> None:
    assert count_by_type(written_by_hand) == count_by_type(made_by_the_construct)


def test_the_hand_written_function_is_as_large_as_the_constructs(
    written_by_hand: Template, made_by_the_construct: Template
) -> None:
    def function(template: Template) -> dict[str, object]:
        (resource,) = template.find_resources("AWS::Lambda::Function").values()
        properties = resource["Properties"]
        return {name: properties[name] for name in ("Code", "MemorySize", "Timeout")}

    # The asset is hashed and staged at synth.
    assert function(written_by_hand) == function(made_by_the_construct)
