"""The alarms after a real `cdk deploy`: that they are there, and that one which goes off wakes somebody.

The local AWS publishes no figures of its own and evaluates no log, so the state is set here; that each alarm gets there
by itself is shown in tests/functional/test_alarms_fire.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.registration._signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs_lib import AlarmName
    from local.deployment import Deployment
    from local.local_aws import LocalAws

STACK = "Watched"


@dataclass(frozen=True, kw_only=True)
class Watched:
    aws: LocalAws
    pager_arn: str
    woken_url: str
    alarms: Mapping[AlarmName, Mapping[str, Any]]

    def set_state(self, name: AlarmName, state: str) -> None:
        self.aws.client("cloudwatch").set_alarm_state(
            AlarmName=self.alarms[name]["AlarmName"], StateValue=state, StateReason="said by the test"
        )

    def message(self) -> dict[str, Any]:
        """Return what woke somebody, and forget it."""
        sqs = self.aws.client("sqs")
        (message,) = sqs.receive_message(QueueUrl=self.woken_url, WaitTimeSeconds=10)["Messages"]
        sqs.delete_message(QueueUrl=self.woken_url, ReceiptHandle=message["ReceiptHandle"])
        sent: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
        return sent


def runbook_name(alarm: Mapping[str, Any]) -> AlarmName:
    """Return the construct's name of an alarm, which CloudFormation has given another."""
    (name,) = (name for name in SIGNALS if alarm["AlarmDescription"].endswith(f" (docs/runbook.md, {name})"))
    return name


@pytest.fixture(scope="module")
def watched(deployment: Deployment) -> Watched:
    aws = deployment.aws
    outputs = aws.deploy(app="python -m tests.e2e.watched")[STACK]
    resources = aws.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    names = [
        resource["PhysicalResourceId"] for resource in resources if resource["ResourceType"] == "AWS::CloudWatch::Alarm"
    ]
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert len(alarms) == len(names)
    return Watched(
        aws=aws,
        pager_arn=outputs["PagerArn"],
        woken_url=outputs["WokenUrl"],
        alarms={runbook_name(alarm): alarm for alarm in alarms},
    )


def test_every_alarm_is_deployed_with_its_action_on(watched: Watched) -> None:
    assert set(watched.alarms) == set(SIGNALS)
    for alarm in watched.alarms.values():
        assert alarm["AlarmActions"] == [watched.pager_arn]
        assert alarm["ActionsEnabled"]


@pytest.mark.parametrize("name", SIGNALS)
def test_an_alarm_that_goes_off_reaches_the_subscriber_and_says_what_to_do(watched: Watched, name: AlarmName) -> None:
    watched.set_state(name, "ALARM")

    message = watched.message()

    assert message["AlarmName"] == watched.alarms[name]["AlarmName"]
    assert message["NewStateValue"] == "ALARM"
    assert message["AlarmDescription"] == watched.alarms[name]["AlarmDescription"]
