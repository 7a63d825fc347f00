"""What a seller may change of an alarm, and what is rejected before CloudWatch would reject it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, Token
from aws_cdk.assertions import Template

from constructs_lib import AlarmSettings, MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from aws_cdk import Stack

    from constructs_lib import AlarmName


def alarm(stack: Stack, name: AlarmName, settings: AlarmSettings) -> dict[str, Any]:
    registration = MarketplaceRegistration(
        stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, alarm_settings={name: settings}
    )
    resource: Any = registration.alarms[name].node.default_child
    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    properties: dict[str, Any] = alarms[stack.get_logical_id(resource)]["Properties"]
    return properties


@pytest.mark.parametrize(
    ("settings", "datapoints", "periods"),
    [
        (AlarmSettings(), 1, 1),
        (AlarmSettings(evaluation_periods=3), 3, 3),
        (AlarmSettings(evaluation_periods=3, datapoints_to_alarm=2), 2, 3),
        (AlarmSettings(datapoints_to_alarm=1), 1, 1),
    ],
)
def test_all_periods_have_to_breach_unless_fewer_are_asked_for(
    stack: Stack, settings: AlarmSettings, datapoints: int, periods: int
) -> None:
    properties = alarm(stack, "ResolverErrors", settings)

    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (datapoints, periods)


@pytest.mark.parametrize(
    "settings",
    [
        AlarmSettings(threshold=0.5),
        AlarmSettings(period=Duration.seconds(10)),
        AlarmSettings(period=Duration.seconds(30)),
        AlarmSettings(period=Duration.minutes(5), evaluation_periods=288),
        AlarmSettings(period=Duration.minutes(59), evaluation_periods=24),
        AlarmSettings(period=Duration.hours(1), evaluation_periods=168),
        AlarmSettings(period=Duration.days(7)),
    ],
)
def test_what_cloudwatch_accepts_is_accepted(stack: Stack, settings: AlarmSettings) -> None:
    assert alarm(stack, "ResolverErrors", settings)


def test_values_known_at_deployment_only_are_accepted(stack: Stack) -> None:
    def later() -> Any:
        return Token.as_number({"Ref": "Later"})

    properties = alarm(
        stack,
        "ResolverErrors",
        AlarmSettings(
            threshold=later(), evaluation_periods=later(), datapoints_to_alarm=later(), period=Duration.minutes(1)
        ),
    )

    assert properties["Threshold"] == {"Ref": "Later"}


AT_MOST = "period times evaluation_periods must be at most"
BELOW = "(one day for a period below an hour, otherwise seven)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 2}, "must be an AlarmSettings or None, got {'threshold': 2}"),
        (AlarmSettings(threshold=0), "threshold must be a number greater than 0, got 0"),
        (AlarmSettings(threshold=-1), "threshold must be a number greater than 0, got -1"),
        (AlarmSettings(threshold=math.nan), "threshold must be a number greater than 0, got nan"),
        (AlarmSettings(threshold=math.inf), "threshold must be a number greater than 0, got inf"),
        (AlarmSettings(threshold=True), "threshold must be a number greater than 0, got True"),
        (AlarmSettings(threshold="3"), "threshold must be a number greater than 0, got '3'"),  # type: ignore[arg-type]
        (AlarmSettings(period=300), "period must be a Duration, such as Duration.minutes(5), got 300"),  # type: ignore[arg-type]
        (
            AlarmSettings(period=Duration.seconds(20)),
            "period must be whole minutes, or 10 or 30 seconds, got 20 seconds",
        ),
        (AlarmSettings(period=Duration.seconds(5)), "period must be whole minutes, or 10 or 30 seconds, got 5 seconds"),
        (
            AlarmSettings(period=Duration.seconds(90)),
            "period must be whole minutes, or 10 or 30 seconds, got 1 minute 30 seconds",
        ),
        (
            AlarmSettings(period=Duration.seconds(Token.as_number({"Ref": "Later"}))),
            "period must be known at synth, got a CDK token",
        ),
        (AlarmSettings(period=Duration.minutes(0)), "period must be whole minutes, or 10 or 30 seconds, got 0 minutes"),
        (AlarmSettings(evaluation_periods=0), "evaluation_periods must be a whole number from 1 on, got 0"),
        (AlarmSettings(evaluation_periods=1.5), "evaluation_periods must be a whole number from 1 on, got 1.5"),  # type: ignore[arg-type]
        (AlarmSettings(evaluation_periods="2"), "evaluation_periods must be a whole number from 1 on, got '2'"),  # type: ignore[arg-type]
        (AlarmSettings(datapoints_to_alarm=0), "datapoints_to_alarm must be a whole number from 1 on, got 0"),
        (AlarmSettings(datapoints_to_alarm=2), "datapoints_to_alarm must be at most evaluation_periods, got 2 of 1"),
        (
            AlarmSettings(evaluation_periods=2, datapoints_to_alarm=3),
            "datapoints_to_alarm must be at most evaluation_periods, got 3 of 2",
        ),
        (AlarmSettings(evaluation_periods=289), f"{AT_MOST} one day {BELOW}, got 289 x 5 minutes"),
        (
            AlarmSettings(period=Duration.hours(1), evaluation_periods=169),
            f"{AT_MOST} seven days {BELOW}, got 169 x 1 hour",
        ),
        (AlarmSettings(period=Duration.days(8)), f"{AT_MOST} seven days {BELOW}, got 1 x 8 days"),
    ],
)
def test_what_cloudwatch_rejects_is_rejected_at_synth(stack: Stack, settings: Any, message: str) -> None:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(
            stack,
            "Registration",
            products={PRODUCT_CODE: LANDING_PAGE},
            alarm_settings={"ResolverErrors": settings},
        )

    assert str(rejection.value) == f"alarm_settings: ResolverErrors: {message}"
