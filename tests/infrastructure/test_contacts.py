"""No function may ask for a buyer's contact: it is for the operator alone."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

import resolver
from constructs_lib import MarketplaceSellerRole
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER
from tests.infrastructure.stacks import forwarding, full_subscriptions, statements, subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(resolver.__file__).parents[1]
OPERATION = "GetAgreementContacts"


def sellers_role(app: App) -> Stack:
    stack = Stack(app, "Publishing")
    MarketplaceSellerRole(stack, "Role", trusted=iam.AccountPrincipal("111122223333"), subscriptions=True)
    return stack


@pytest.mark.parametrize("make", [subscriptions, full_subscriptions, sellers_role, forwarding])
def test_no_role_may_ask_for_a_contact(make: Callable[[App], Stack]) -> None:
    template = Template.from_stack(make(App()))

    actions = {action for each in statements(template) for action in listed(each["Action"])}

    assert actions
    assert not [action for action in actions if fnmatchcase(f"aws-marketplace:{OPERATION}", action)]
    # Nor by an inline policy, a managed one, or a policy of a resource.
    assert OPERATION not in json.dumps(template.to_json())


def listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def test_no_functions_source_or_asset_knows_of_contacts() -> None:
    sources = [path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py")]

    assert sources
    assert not [source for source in sources if OPERATION in source or "get_agreement_contacts" in source]
    for asset in (RESOLVER, SUBSCRIBER, PUBLISHER, RECONCILER):
        assert OPERATION not in {name for names in asset.operations.values() for name in names}
