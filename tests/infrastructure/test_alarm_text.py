"""Where an alarm's text leads the operator, and which action says that it is over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Fn, Stack
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
URL = "https://wiki.example.com/runbook.md"


def texts(stack: Stack) -> list[Any]:
    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return [alarm["Properties"]["AlarmDescription"] for alarm in alarms]


def test_the_link_ends_the_text_and_leads_to_a_section_of_the_runbook(stack: Stack) -> None:
    MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, runbook_url=URL)
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    for text in texts(stack):
        linked = re.fullmatch(rf".+\. Runbook: {re.escape(URL)}#(\S+)", text)
        assert linked, text
        assert linked[1] in anchors


def test_a_url_known_at_deployment_only_is_accepted(stack: Stack) -> None:
    MarketplaceRegistration(
        stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, runbook_url=Fn.import_value("Runbook")
    )

    assert {"Fn::ImportValue": "Runbook"} in texts(stack)[0]["Fn::Join"][1]


def test_a_url_that_just_fits_is_accepted_and_a_longer_one_is_rejected(stack: Stack) -> None:
    def register(construct_id: str, length: int) -> None:
        MarketplaceRegistration(
            stack, construct_id, products={PRODUCT_CODE: LANDING_PAGE}, runbook_url=URL + "x" * (length - len(URL))
        )

    with pytest.raises(
        ValueError, match=r"^runbook_url: must be at most \d+ characters to fit .* got 2000$"
    ) as rejection:
        register("TooLong", 2000)
    most = int(re.findall(r"\d+", str(rejection.value))[0])

    register("Fits", most)
    assert max(map(len, texts(stack))) == 1024
    with pytest.raises(ValueError, match=f"^runbook_url: .* got {most + 1}$"):
        register("OneTooLong", most + 1)


def test_one_function_can_be_told_of_both_states() -> None:
    # Without the flag, which new CDK projects have, no function can be the action of two alarms.
    flag = "@aws-cdk/aws-cloudwatch-actions:changeLambdaPermissionLogicalIdForLambdaAction"
    stack = Stack(App(context={flag: True}), "Stack")
    notify = lambda_.Function(
        stack,
        "Notify",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    action = cloudwatch_actions.LambdaAction(notify)
    MarketplaceRegistration(
        stack,
        "Registration",
        products={PRODUCT_CODE: LANDING_PAGE},
        alarm_actions=[action],
        ok_actions=[action],
    )

    for alarm in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == alarm["Properties"]["OKActions"]
