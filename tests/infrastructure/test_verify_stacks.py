"""The stacks of ``constructs_lib.verify``: nothing of them stays, and nothing of the seller's is touched."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk
import pytest
from aws_cdk import App

from constructs_lib.verify import _stacks
from constructs_lib.verify._checks.requests import _DEFAULT_BURST
from constructs_lib.verify._names import CUSTOM_DOMAIN, MAIN, PREFIX, RELEASED, THROTTLED
from docs import checks
from tests.verify_world import CONTEXT, RUN

if TYPE_CHECKING:
    from collections.abc import Mapping


def templates(**context: str) -> dict[str, dict[str, Any]]:
    app = App(context={**CONTEXT, **context})
    _stacks.make(app)
    return {stack.stack_name.removeprefix(f"{RUN}-"): stack.template for stack in app.synth().stacks}


@pytest.fixture(scope="module")
def made() -> Mapping[str, dict[str, Any]]:
    return templates() | templates(**{RELEASED: "true"})


def resources(template: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource for resource in template["Resources"].values() if resource["Type"] == kind]


def test_there_is_a_stack_for_each_purpose(made: Mapping[str, dict[str, Any]]) -> None:
    assert made.keys() == {MAIN, THROTTLED, CUSTOM_DOMAIN, RELEASED}
    assert re.fullmatch(re.escape(PREFIX) + "[0-9a-f]{8}", RUN)


def test_nothing_is_retained_or_protected(made: Mapping[str, dict[str, Any]]) -> None:
    for template in made.values():
        text = json.dumps(template)
        assert '"Retain"' not in text
        assert '"DeletionProtectionEnabled": true' not in text


def test_the_memory_sizes_differ(made: Mapping[str, dict[str, Any]]) -> None:
    sizes = {
        end: {
            resource["Properties"]["MemorySize"]
            for resource in resources(template, "AWS::Lambda::Function")
            if resource["Properties"]["Handler"] == "resolver.main.handler"
        }
        for end, template in made.items()
    }

    assert sizes == {MAIN: {1769}, THROTTLED: {512}, CUSTOM_DOMAIN: {1024}, RELEASED: {1769}}


def test_one_throttle_is_given_by_half(made: Mapping[str, dict[str, Any]]) -> None:
    (stage,) = resources(made[THROTTLED], "AWS::ApiGatewayV2::Stage")

    limits = stage["Properties"]["DefaultRouteSettings"]
    assert limits == {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": _DEFAULT_BURST}


def test_no_rule_is_on_the_sellers_default_bus_and_nothing_is_published_there(
    made: Mapping[str, dict[str, Any]],
) -> None:
    # Whatever runs on a schedule is on that bus, and gets none of its events.
    rules = [rule for rule in resources(made[MAIN], "AWS::Events::Rule") if "EventPattern" in rule["Properties"]]
    (bus,) = (name for name, one in made[MAIN]["Resources"].items() if one["Type"] == "AWS::Events::EventBus")

    assert {json.dumps(rule["Properties"]["EventBusName"]) for rule in rules} == {json.dumps({"Ref": bus})}
    published = [
        statement["Resource"]
        for policy in resources(made[MAIN], "AWS::IAM::Policy")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "events:PutEvents"
    ]
    assert published == [{"Fn::GetAtt": [bus, "Arn"]}]


def test_the_region_may_be_one_in_which_marketplace_puts_no_events() -> None:
    assert templates(region="eu-west-1", domain="").keys() == {MAIN, THROTTLED, CUSTOM_DOMAIN}


def test_without_a_custom_domain_there_is_none() -> None:
    assert not resources(templates(domain="")[CUSTOM_DOMAIN], "AWS::ApiGatewayV2::DomainName")


def test_an_api_with_a_custom_domain_keeps_its_own_endpoint(made: Mapping[str, dict[str, Any]]) -> None:
    (api,) = resources(made[CUSTOM_DOMAIN], "AWS::ApiGatewayV2::Api")

    assert api["Properties"].get("DisableExecuteApiEndpoint", False) is False
    assert "DomainTarget" in made[CUSTOM_DOMAIN]["Outputs"]


def test_the_app_is_a_module_that_the_cdk_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The CDK's command line gives both by environment variables, which the CDK has read by now.
    monkeypatch.setattr(aws_cdk, "App", lambda: App(context=CONTEXT, outdir=str(tmp_path)))

    runpy.run_path(_stacks.__file__, run_name="__main__")

    assert (tmp_path / f"{RUN}-{MAIN}.template.json").exists()


def test_the_command_is_the_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["verify", "--help"])

    with pytest.raises(SystemExit) as done:
        runpy.run_module("constructs_lib.verify", run_name="__main__")

    assert done.value.code == 0
    assert "--account" in capsys.readouterr().out


def test_the_cost_counts_the_alarms_and_metrics_that_are_made(made: Mapping[str, dict[str, Any]]) -> None:
    page = (Path(checks.__file__).with_name("real-account.md")).read_text(encoding="utf-8")
    alarms = sum(len(resources(template, "AWS::CloudWatch::Alarm")) for template in made.values())
    # Lines of every outcome are written in the main stack; the others count made-up tokens, their time and 429.
    metrics = {
        one["Properties"]["MetricTransformations"][0]["MetricName"]
        for one in resources(made[MAIN], "AWS::Logs::MetricFilter")
    }

    assert f"| {alarms} x $0.10 " in page
    assert f"| {len(metrics) + 3 + 2} x $0.30 " in page
    assert f"the metrics are ${(len(metrics) + 5) * 0.30:.2f}, the alarms ${alarms * 0.10:.2f}" in page
