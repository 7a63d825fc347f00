"""`grant_claim` grants, or says why it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable

HERE, THERE = "111122223333", "444455556666"


def function(stack: Stack, account: str) -> lambda_.IFunction:
    return lambda_.Function.from_function_arn(stack, "F", f"arn:aws:lambda:eu-west-1:{account}:function:backend")


def role_of_another_stack(stack: Stack) -> iam.Role:
    other = Stack(stack.node.root, "Other", env=Environment(account=THERE, region="eu-west-1"))  # type: ignore[arg-type]
    return iam.Role(other, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))


ELSEWHERE: dict[str, Callable[[Stack], Any]] = {
    "imported role": lambda stack: iam.Role.from_role_arn(stack, "R", f"arn:aws:iam::{THERE}:role/backend"),
    "immutable role": lambda stack: iam.Role.from_role_arn(
        stack, "R", f"arn:aws:iam::{THERE}:role/backend", mutable=False
    ),
    "role of another stack": role_of_another_stack,
    "function": lambda stack: lambda_.Function.from_function_attributes(
        stack,
        "F",
        function_arn=f"arn:aws:lambda:eu-west-1:{THERE}:function:backend",
        role=iam.Role.from_role_arn(stack, "R", f"arn:aws:iam::{THERE}:role/backend"),
    ),
    "function without its role": lambda stack: function(stack, THERE),
    "ARN": lambda _: iam.ArnPrincipal(f"arn:aws:iam::{THERE}:role/backend"),
    "account": lambda _: iam.AccountPrincipal(THERE),
    "account under a condition": lambda _: iam.PrincipalWithConditions(iam.AccountPrincipal(THERE), {}),
}
WITHOUT_POLICIES: dict[str, Callable[[Stack], Any]] = {
    "account": lambda _: iam.AccountPrincipal(HERE),
    "ARN": lambda _: iam.ArnPrincipal(f"arn:aws:iam::{HERE}:role/backend"),
    "anyone": lambda _: iam.AnyPrincipal(),
    "service": lambda _: iam.ServicePrincipal("lambda.amazonaws.com"),
}


def registration(**env: str) -> MarketplaceRegistration:
    stack = Stack(App(), "Stack", env=Environment(**env))
    return MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_grantee_in_another_account_is_rejected_with_the_way_to_let_it_in(kind: str) -> None:
    here = registration(account=HERE, region="eu-west-1")

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        here.grant_claim(ELSEWHERE[kind](Stack.of(here)))

    assert str(rejection.value) == (
        f"grantee: must be in the API's account, {HERE}, because an HTTP API has no resource policy, got one in "
        f"{THERE}; grant a role in {HERE}, and let the backend assume it"
    )


@pytest.mark.parametrize("kind", WITHOUT_POLICIES)
def test_a_grantee_that_takes_no_policy_is_rejected(kind: str) -> None:
    here = registration(account=HERE, region="eu-west-1")

    with pytest.raises(ValueError, match=r"^grantee: must take a policy, .* got .*, which takes none$"):
        here.grant_claim(WITHOUT_POLICIES[kind](Stack.of(here)))


@pytest.mark.parametrize("grantee", [None, "arn:aws:iam::111122223333:role/backend", iam.Role, object()])
def test_a_grantee_of_another_type_is_rejected(grantee: Any) -> None:
    with pytest.raises(ValueError, match=r"^grantee: must be a role, a function or .*, got .*$"):
        registration().grant_claim(grantee)


@pytest.mark.parametrize("env", [{}, {"account": HERE, "region": "eu-west-1"}])
def test_roles_of_this_account_are_granted_also_where_the_account_is_not_known(env: dict[str, str]) -> None:
    here = registration(**env)
    stack = Stack.of(here)

    here.grant_claim(iam.Role.from_role_arn(stack, "Imported", f"arn:aws:iam::{HERE}:role/backend"))
    here.grant_claim(iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    here.grant_claim(iam.User(stack, "User"))
    # Its role is not known, so the CDK warns instead.
    here.grant_claim(function(stack, HERE))

    granted = [
        policy
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if policy["Properties"]["PolicyDocument"]["Statement"][0]["Action"] == "execute-api:Invoke"
    ]
    assert len(granted) == 3


def test_a_role_of_another_account_is_let_through_where_this_one_is_not_known() -> None:
    here = registration()

    assert here.grant_claim(iam.Role.from_role_arn(Stack.of(here), "R", f"arn:aws:iam::{THERE}:role/backend")).success
