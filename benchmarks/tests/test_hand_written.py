"""A measurement against hand-written code is fair only if both create as much."""

from __future__ import annotations

from collections import Counter

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from benchmarks.hand_written import registration, subscriptions
from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER
from local.product import LANDING_PAGE, PRODUCT_CODE


@pytest.fixture(params=[False, True], ids=["registration", "subscriptions"])
def with_subscriptions(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def written_by_hand(*, with_subscriptions: bool) -> Template:
    stack = Stack(App(), "Seller")
    registered = registration(stack, asset=str(RESOLVER.folder))
    if with_subscriptions:
        subscriptions(
            stack,
            registered,
            subscriber_asset=str(SUBSCRIBER.folder),
            publisher_asset=str(PUBLISHER.folder),
            reconciler_asset=str(RECONCILER.folder),
        )
    return Template.from_stack(stack)


@pytest.fixture
def made_by_the_constructs(*, with_subscriptions: bool) -> Template:
    stack = Stack(App(), "Seller")
    registered = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
    if with_subscriptions:
        MarketplaceSubscriptions(stack, "Subscriptions", registration=registered)
    return Template.from_stack(stack)


def count_by_type(template: Template) -> Counter[str]:
    return Counter(resource["Type"] for resource in template.to_json()["Resources"].values())


def test_the_hand_written_stack_has_as_many_resources_of_each_type_as_the_constructs(
    written_by_hand: Template, made_by_the_constructs: Template
) -> None:
    assert count_by_type(written_by_hand) == count_by_type(made_by_the_constructs)


def test_the_hand_written_functions_are_as_large_as_the_constructs(
    written_by_hand: Template, made_by_the_constructs: Template
) -> None:
    def functions(template: Template) -> dict[str, dict[str, object]]:
        resources = template.find_resources("AWS::Lambda::Function").values()
        return {
            resource["Properties"]["Handler"]: {
                name: resource["Properties"][name] for name in ("Code", "MemorySize", "Timeout")
            }
            for resource in resources
        }

    # The asset is hashed and staged at synth.
    assert functions(written_by_hand) == functions(made_by_the_constructs)
