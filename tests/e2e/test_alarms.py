"""The alarms after a real `cdk deploy`: all of them are there, and one that fires reaches the operator.

The local AWS publishes no metrics and evaluates no logs, so the tests set the state;
tests/functional/test_alarms_fire.py shows that each alarm fires by itself.
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

STACK = "Watched"


@dataclass(frozen=True, kw_only=True)
class Watched:
    # Boto3 clients, created once: each reads large models.
    cloudwatch: Any
    sqs: Any
    pager_arn: str
    operator_url: str
    alarms: Mapping[AlarmName, Mapping[str, Any]]

    def set_state(self, name: AlarmName, state: str) -> None:
        self.cloudwatch.set_alarm_state(
            AlarmName=self.alarms[name]["AlarmName"], StateValue=state, StateReason="set by the test"
        )

    def message(self) -> dict[str, Any]:
        """Return the message to the operator, and delete it."""
        (message,) = self.sqs.receive_message(QueueUrl=self.operator_url, WaitTimeSeconds=10)["Messages"]
        self.sqs.delete_message(QueueUrl=self.operator_url, ReceiptHandle=message["ReceiptHandle"])
        sent: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
        return sent


def runbook_name(alarm: Mapping[str, Any]) -> AlarmName:
    """Return the construct's name for an alarm, whose physical name CloudFormation generates."""
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
    cloudwatch = aws.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert len(alarms) == len(names)
    return Watched(
        cloudwatch=cloudwatch,
        sqs=aws.client("sqs"),
        pager_arn=outputs["PagerArn"],
        operator_url=outputs["OperatorUrl"],
        alarms={runbook_name(alarm): alarm for alarm in alarms},
    )


def test_every_alarm_is_deployed_with_its_action_enabled(watched: Watched) -> None:
    assert set(watched.alarms) == set(SIGNALS)
    for alarm in watched.alarms.values():
        assert alarm["AlarmActions"] == [watched.pager_arn]
        assert alarm["ActionsEnabled"]


@pytest.mark.parametrize("name", SIGNALS)
def test_an_alarm_that_fires_tells_the_operator_what_to_do(watched: Watched, name: AlarmName) -> None:
    watched.set_state(name, "ALARM")

    message = watched.message()

    assert message["AlarmName"] == watched.alarms[name]["AlarmName"]
    assert message["NewStateValue"] == "ALARM"
    assert message["AlarmDescription"] == watched.alarms[name]["AlarmDescription"]
