"""The construct's attributes and metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceSellerRole
from constructs_lib.registration._outcomes import COUNTS, TIMES
from tests.infrastructure.stacks import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs_lib import MarketplaceRegistration

COUNTED = [*COUNTS, "ApiThrottled", "ClaimsDenied", "CodesUnclaimed"]


@pytest.fixture(scope="module")
def registration() -> MarketplaceRegistration:
    return register(Stack(App(), "Stack"))


@pytest.mark.parametrize(
    ("name_of", "logical_id"),
    [
        (lambda registration: registration.api.api_id, r"RegistrationApi\w{8}"),
        (lambda registration: registration.stage.node.default_child.ref, r"RegistrationApiStage\w{8}"),
        (lambda registration: registration.resolver.function_name, r"RegistrationResolverFunction\w{8}"),
        (lambda registration: registration.table.table_name, r"RegistrationStoreRegistrations\w{8}"),
        (lambda registration: registration.claims_table.table_name, r"RegistrationStoreClaims\w{8}"),
        (lambda registration: registration.log_group.log_group_name, r"RegistrationResolverLog\w{8}"),
        (lambda registration: registration.access_log_group.log_group_name, r"RegistrationAccessLog\w{8}"),
        (lambda registration: registration.grant_principal.role_name, r"RegistrationResolverRole\w{8}"),
    ],
    ids=["api", "stage", "resolver", "table", "claims-table", "log-group", "access-log-group", "grant-principal"],
)
def test_an_attribute_is_the_resource_that_it_names(
    registration: MarketplaceRegistration, name_of: Callable[[Any], str], logical_id: str
) -> None:
    reference = Stack.of(registration).resolve(name_of(registration))

    assert re.fullmatch(logical_id, reference["Ref"])


def definition(metric: cloudwatch.Metric) -> dict[str, Any]:
    parts = {
        "namespace": metric.namespace,
        "name": metric.metric_name,
        "statistic": metric.statistic,
        "minutes": metric.period.to_minutes(),
        "dimensions": metric.dimensions,
        "label": metric.label,
    }
    return dict(Stack(App(), "Any").resolve(parts))


def named(registration: MarketplaceRegistration, name: str) -> Callable[..., cloudwatch.Metric]:
    method = "metric" + re.sub("(?=[A-Z])", "_", name).lower()
    return getattr(registration, method)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", COUNTED)
def test_a_count_by_name_is_the_metric_of_the_named_method(registration: MarketplaceRegistration, name: str) -> None:
    metric = registration.metric(name, label="Label")

    assert definition(metric) == definition(named(registration, name)(label="Label"))
    assert (metric.metric_name, metric.statistic, metric.label) == (name, "Sum", "Label")


@pytest.mark.parametrize("name", TIMES)
def test_a_time_by_name_is_the_metric_of_the_named_method(registration: MarketplaceRegistration, name: str) -> None:
    percentile = registration.metric(name, statistic=cloudwatch.Stats.p(99))

    assert definition(percentile) == definition(named(registration, name)())


@pytest.mark.parametrize("name", ["", "registrations", "Errors"])
def test_an_unknown_metric_name_is_rejected(registration: MarketplaceRegistration, name: str) -> None:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        registration.metric(name)

    known = ", ".join([*COUNTS, *TIMES, "ApiThrottled", "ClaimsDenied", "CodesUnclaimed"])
    assert str(rejection.value) == f"name: must be one of {known}, got {name!r}"


def test_the_sellers_role_can_be_granted_more() -> None:
    stack = Stack(App(), "Publisher")
    seller = MarketplaceSellerRole(stack, "Seller", trusted=iam.AccountPrincipal("111122223333"))

    iam.Grant.add_to_principal(grantee=seller, actions=["aws-marketplace:BatchMeterUsage"], resource_arns=["*"])

    template = Template.from_stack(stack)
    (role,) = template.find_resources("AWS::IAM::Role")
    policies = [policy["Properties"] for policy in template.find_resources("AWS::IAM::Policy").values()]
    assert [policy["Roles"] for policy in policies] == [[{"Ref": role}]] * len(policies)
    granted = {statement["Action"] for policy in policies for statement in policy["PolicyDocument"]["Statement"]}
    assert granted == {"aws-marketplace:ResolveCustomer", "aws-marketplace:BatchMeterUsage"}
