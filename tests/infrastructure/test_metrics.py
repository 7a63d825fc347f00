"""The metrics that are derived from the logs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from aws_cdk import Stack


def test_each_metric_of_the_logs_has_its_name(stack: Stack) -> None:
    registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
    filters = Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").values()

    for filter_ in filters:
        (transformation,) = filter_["Properties"]["MetricTransformations"]
        metric = registration.metric(transformation["MetricName"])
        assert metric.metric_name == transformation["MetricName"]
        assert stack.resolve(metric.namespace) == transformation["MetricNamespace"]


def test_a_metric_that_the_logs_do_not_have_is_rejected(stack: Stack) -> None:
    registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})

    with pytest.raises(ValueError, match=r"^name: must be one of Registrations, .*, got 'Registered'$"):
        registration.metric("Registered")


def test_unclaimed_codes_are_added_up_by_two_filters_of_one_log(stack: Stack) -> None:
    registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
    filters = [
        filter_["Properties"]
        for filter_ in Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").values()
        if filter_["Properties"]["MetricTransformations"][0]["MetricName"] == "CodesUnclaimed"
    ]

    assert {filter_["FilterPattern"]: filter_["MetricTransformations"][0]["MetricValue"] for filter_ in filters} == {
        '{ ($.outcome = "registered") || ($.outcome = "registered_again") }': "1",
        '{ $.outcome = "claimed" }': "-1",
    }
    log_group = stack.resolve(registration.log_group.log_group_name)
    assert [filter_["LogGroupName"] for filter_ in filters] == [log_group] * 2
