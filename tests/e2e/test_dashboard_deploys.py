"""The local AWS takes a stack with the dashboard, so that a seller can practice on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.deployment import Deployment


def test_a_stack_with_the_dashboard_can_be_deployed_twice(deployment: Deployment) -> None:
    aws = deployment.aws
    for _ in range(2):
        aws.deploy(app="python -m tests.e2e.with_dashboard")

    resources = aws.client("cloudformation").describe_stack_resources(StackName="WithDashboard")["StackResources"]
    made = {resource["ResourceType"]: resource["PhysicalResourceId"] for resource in resources}
    assert made["AWS::Logs::QueryDefinition"]
    dashboard = aws.client("cloudwatch").get_dashboard(DashboardName=made["AWS::CloudWatch::Dashboard"])
    assert "Lost buyers" in dashboard["DashboardBody"]
