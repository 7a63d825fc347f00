from __future__ import annotations

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from tests.infrastructure.stacks import full, minimal, subscriptions


@pytest.fixture(scope="session")
def minimal_template() -> Template:
    return Template.from_stack(minimal(App()))


@pytest.fixture(scope="session")
def full_template() -> Template:
    return Template.from_stack(full(App()))


@pytest.fixture(scope="session")
def subscribed_template() -> Template:
    return Template.from_stack(subscriptions(App()))


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")
