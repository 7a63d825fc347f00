"""A target in the local AWS that is told of subscriptions, as a seller's backend is."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from constructs_lib.testing._emulator import Emulator

_NAME = "seller-target"


class SellerTarget:
    """A queue that gets every event about one registrations table from the default event bus.

    It is made through the local AWS's API, as the stack of a seller has targets of its own in its place.

    Args:
        aws: the local AWS.
        table_name: of the registrations table.
    """

    def __init__(self, aws: Emulator, table_name: str) -> None:
        self._sqs = aws.client("sqs")
        self._events: list[dict[str, Any]] = []
        name = f"{_NAME}-{table_name}"
        self._url = self._sqs.create_queue(QueueName=name[-80:])["QueueUrl"]
        table = aws.client("dynamodb").describe_table(TableName=table_name)["Table"]["TableArn"]
        pattern = {"source": ["marketplace-registration"], "resources": [table]}
        rules = aws.client("events")
        rule = rules.put_rule(Name=name[-64:], EventPattern=json.dumps(pattern))["RuleArn"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            },
        }
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)})
        rules.put_targets(Rule=name[-64:], Targets=[{"Id": _NAME, "Arn": arn}])

    def receive(self, *, wait_seconds: int = 0) -> list[dict[str, Any]]:
        """Return the events that have arrived since the last call, in any order."""
        received = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        ).get("Messages", [])
        for message in received:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in received]

    def wait_for(self, kind: str, account: str, *, seconds: float = 30) -> dict[str, Any] | None:
        """Return the next event of a kind about a buyer, or None if there is none in time.

        Args:
            kind: the event's `detail-type`.
            account: the buyer's AWS account.
            seconds: how long to wait.
        """
        deadline = time.monotonic() + seconds
        while True:
            for event in self._events:
                if (event["detail-type"], event["detail"]["registration"]["CustomerAWSAccountId"]) == (kind, account):
                    self._events.remove(event)
                    return event
            if time.monotonic() >= deadline:
                return None
            self._events += self.receive(wait_seconds=1)
