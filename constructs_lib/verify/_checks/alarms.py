"""The check of alarms: each of them reaches the operator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from constructs_lib.verify._check import Check, Result

if TYPE_CHECKING:
    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

_BATCH = 10


def _receive(subject: Subject, missing: set[str], state: str) -> set[str]:
    """Take away the alarms of which a message says that they are in a state."""
    sqs, url = subject.client("sqs"), subject.main["MessagesUrl"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=1)
    for message in received.get("Messages", []):
        alarm = json.loads(json.loads(message["Body"])["Message"])
        if alarm["NewStateValue"] == state:
            missing.discard(alarm["AlarmName"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return missing


def _set_all(subject: Subject, names: set[str], state: str) -> None:
    for name in sorted(names):
        subject.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="set by verify")


def _await_all(subject: Subject, names: set[str], state: str, deadline: Deadline) -> None:
    missing = set(names)
    deadline.until(
        lambda: _receive(subject, missing, state),
        lambda missing: not missing,
        lambda missing: f"no message of {state} from {', '.join(sorted(missing))}",
    )


def _alarms(subject: Subject, deadline: Deadline) -> Result:
    names = set(subject.resources("AWS::CloudWatch::Alarm").values())
    # One that is OK already tells nobody, so no message of the first is waited for.
    _set_all(subject, names, "OK")
    for state in ("ALARM", "OK"):
        _set_all(subject, names, state)
        _await_all(subject, names, state, deadline)
    return Result(seen=f"messages of {len(names)} alarms", holds=bool(names))


CHECKS = (
    Check(
        name="alarms",
        expected="every alarm, set from OK to ALARM and back, sends both messages to the queue behind the topic",
        seconds=600,
        run=_alarms,
    ),
)
