"""Checks of deployments: the first one, the same again, and over an earlier release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.verify._check import Check, Result, compared

if TYPE_CHECKING:
    from constructs_lib.verify._check import Deadline
    from constructs_lib.verify._subject import Subject


def _deployed(subject: Subject, _deadline: Deadline) -> Result:
    cloudformation, logs = subject.client("cloudformation"), subject.client("logs")
    wrong, filters = [], 0
    for end, name in subject.stacks.items():
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        if stack["StackStatus"] != "CREATE_COMPLETE":
            wrong.append(f"{name}: {stack['StackStatus']}")
        wanted = len(subject.resources("AWS::Logs::MetricFilter", end))
        found = sum(
            len(
                list(
                    logs.get_paginator("describe_metric_filters").paginate(logGroupName=group).search("metricFilters[]")
                )
            )
            for group in subject.resources("AWS::Logs::LogGroup", end).values()
        )
        if found != wanted:
            wrong.append(f"{name}: {found} of {wanted} metric filters")
        filters += found
    return compared(wrong, f"{len(subject.stacks)} stacks, {filters} metric filters")


FIRST = (
    Check(
        name="deployment",
        expected="several stacks made at once, each with all of its metric filters",
        seconds=60,
        run=_deployed,
    ),
)
