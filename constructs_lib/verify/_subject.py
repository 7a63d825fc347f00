"""What is checked: the deployed stacks of one run, and the ways to reach them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.credentials import Credentials

from constructs_lib.verify._deadline import CLOCK, Clock
from constructs_lib.verify._names import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from constructs_lib.verify._cdk import Cdk
    from constructs_lib.verify._http import Http

_MINUTE = 60
"""The length of a period, and more than this machine's clock may differ from AWS's."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The stacks of one run.

    Attributes:
        name: of the run, and the beginning of the stacks' names.
        region: where they are.
        local_url: the endpoint of the local AWS; empty in a real account.
        outputs: what each stack says of itself, by the end of its name.
        client: makes a client of botocore, for a service and for credentials other than the caller's.
        http: sends requests.
        cdk: deploys again.
        product_code: of the registrations.
        domain: the custom domain of an API, if one is given.
        released: the recorded release to upgrade from, if one is given.
        clock: tells the time.
    """

    name: str
    region: str
    local_url: str = ""
    outputs: Mapping[str, Mapping[str, str]]
    client: Callable[..., Any]
    http: Http
    cdk: Cdk
    product_code: str
    domain: str = ""
    released: Path | None = None
    clock: Clock = CLOCK

    @property
    def local(self) -> bool:
        """Whether it is the local AWS."""
        return bool(self.local_url)

    @property
    def main(self) -> Mapping[str, str]:
        """The outputs of the stack with everything."""
        return self.outputs[MAIN]

    @property
    def stacks(self) -> dict[str, str]:
        """The stacks' names, by their ends."""
        return {end: f"{self.name}-{end}" for end in self.outputs}

    def url(self, path: str, stack: str = MAIN) -> str:
        """Return the URL of a path of a stack's API."""
        api = self.outputs[stack]["ApiId"]
        if self.local:
            return f"{self.local_url}/_aws/execute-api/{api}/$default{path}"
        return self.outputs[stack]["Url"] + path

    def resources(self, kind: str, stack: str = MAIN) -> dict[str, str]:
        """Return a stack's resources of a type: logical ID to physical ID."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        listed = pages.paginate(StackName=self.stacks[stack]).search("StackResourceSummaries")
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in listed
            if resource["ResourceType"] == kind
        }

    def lines(self, log_group: str, pattern: str, since: float) -> list[dict[str, Any]]:
        """Return the JSON lines of a log that match a pattern, from a time on."""
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=log_group, filterPattern=pattern, startTime=int((since - _MINUTE) * 1000))
        return [json.loads(event["message"]) for event in found.search("events") if event["message"].startswith("{")]

    def sum_of(self, namespace: str, metric: str, since: float) -> float:
        """Return the sum of a metric without dimensions, from a time on."""
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            StartTime=datetime.fromtimestamp(since - _MINUTE, UTC),
            EndTime=datetime.fromtimestamp(self.clock.time() + _MINUTE, UTC),
            Period=_MINUTE,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    @cached_property
    def backend(self) -> Credentials:
        """Credentials of the role that may claim."""
        return self.assume("BackendRoleArn")

    def assume(self, role: str) -> Credentials:
        """Return credentials of a role that an output of the main stack names."""
        assumed = self.client("sts").assume_role(RoleArn=self.main[role], RoleSessionName="verify")["Credentials"]
        return Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
