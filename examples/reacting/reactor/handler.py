"""Tells a topic of new registrations; the event source's filter lets nothing else through."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def react(records: Iterable[Mapping[str, Any]], *, publish: Callable[[str], object]) -> None:
    """Report each new registration. It is no reason to grant access: License Updated is, an event of EventBridge.

    A stream delivers at least once: after a failure, the records before it are delivered again.

    Args:
        records: of the table's stream.
        publish: sends a message.
    """
    for record in records:
        buyer = record["dynamodb"]["NewImage"]
        account, product = buyer["CustomerAWSAccountId"]["S"], buyer["ProductCode"]["S"]
        publish(
            f"AWS account {account} registered for {product}. Do not grant access before its License Updated event."
        )


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives both
    """Report each new registration to the topic.

    Args:
        event: records of the table's stream.
        context: Lambda's.
    """
    # An error is raised: Lambda retries, and finally sends the record's position to the queue for failed records.
    topic = boto3.resource("sns").Topic(os.environ["TOPIC_ARN"])
    react(event["Records"], publish=lambda message: topic.publish(Message=message))
