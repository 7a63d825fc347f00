"""Removes the stacks of a run, and looks that nothing is left of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from constructs_lib.verify._check import Result, compared
from constructs_lib.verify._deadline import Deadline, NotSeenError
from constructs_lib.verify._names import PREFIX, TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from constructs_lib.verify._deadline import Clock

_DELETE_SECONDS = 20 * 60
_LEFT_SECONDS = 2 * 60
_GONE, _FAILED = "DELETE_COMPLETE", "DELETE_FAILED"
_RUN = re.compile(re.escape(PREFIX) + "[0-9a-f]{8}")

# CloudFormation names what it makes after the stack: where else one of those could be left, with its name.
_NAMED: tuple[tuple[str, str, dict[str, int], str], ...] = (
    ("dynamodb", "list_tables", {}, "TableNames[]"),
    ("logs", "describe_log_groups", {}, "logGroups[].logGroupName"),
    # Without it, SQS lists the first thousand only.
    ("sqs", "list_queues", {"MaxResults": 1000}, "QueueUrls[]"),
    ("sns", "list_topics", {}, "Topics[].TopicArn"),
    ("lambda", "list_functions", {}, "Functions[].FunctionName"),
    ("iam", "list_roles", {}, "Roles[].RoleName"),
    ("cloudwatch", "describe_alarms", {}, "MetricAlarms[].AlarmName"),
)


class Cleaning:
    """Removes what runs made in one account and region.

    Args:
        client: makes a client of botocore for a service.
        clock: tells the time.
    """

    def __init__(self, client: Callable[[str], Any], clock: Clock) -> None:
        self._client = client
        self._cloudformation = client("cloudformation")
        self._clock = clock

    def runs(self) -> set[str]:
        """Return the names of the runs whose stacks are there, by their tags."""
        return {
            run
            for stack in self._stacks()
            for run in (_run_of(stack["StackName"]),)
            if run and {"Key": TAG, "Value": run} in stack.get("Tags", [])
        }

    def remove(self, run: str) -> Result:
        """Remove the stacks of a run, and look that nothing is left.

        Args:
            run: its name, which it had from this program.
        """
        stacks = {
            stack["StackName"]: stack["StackId"] for stack in self._stacks() if _run_of(stack["StackName"]) == run
        }
        wrong = list(self._delete(stacks))
        deadline = Deadline(_LEFT_SECONDS, self._clock)
        try:
            deadline.until(lambda: self._left(run), lambda left: not left, ", ".join)
        except NotSeenError as error:
            wrong.append(f"left: {error}")
        return compared(wrong, f"{len(stacks)} stacks deleted, nothing left")

    def _stacks(self) -> list[dict[str, Any]]:
        pages = self._cloudformation.get_paginator("describe_stacks").paginate()
        return [stack for stack in pages.search("Stacks[]") if stack["StackStatus"] != _GONE]

    def _delete(self, stacks: dict[str, str]) -> Iterable[str]:
        for stack in stacks.values():
            self._cloudformation.delete_stack(StackName=stack)
        deadline = Deadline(_DELETE_SECONDS, self._clock)
        for name, stack in stacks.items():
            if (status := self._end(stack, deadline)) != _GONE:
                yield f"{name}: {status}"

    def _end(self, stack: str, deadline: Deadline) -> str:
        try:
            return deadline.until(lambda: self._status(stack), {_GONE, _FAILED}.__contains__)
        except NotSeenError as error:
            return str(error)

    def _status(self, stack: str) -> str:
        try:
            status: str = self._cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            # What CloudFormation says of a stack that does not exist.
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return _GONE
        return status

    def _left(self, run: str) -> list[str]:
        return [
            f"{service} {name}"
            for service, operation, request, names in _NAMED
            for name in self._client(service).get_paginator(operation).paginate(**request).search(names)
            if name and f"{run}-" in name
        ]


def _run_of(stack: str) -> str:
    found = _RUN.match(stack)
    return found[0] if found else ""
