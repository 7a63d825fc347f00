"""Tells a topic of new buyers; the event source's filter lets nothing else through."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def react(records: Iterable[Mapping[str, Any]], *, publish: Callable[[str], object]) -> None:
    """Say each new buyer.

    A stream delivers at least once: after a failure the records before it come again.

    Args:
        records: of the table's stream.
        publish: takes a message.
    """
    for record in records:
        buyer = record["dynamodb"]["NewImage"]
        publish(f"AWS account {buyer['CustomerAWSAccountId']['S']} registered for {buyer['ProductCode']['S']}")


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives both
    """Say each new buyer to the topic.

    Args:
        event: records of the table's stream.
        context: Lambda's.
    """
    # A failure is raised: Lambda then tries again, and in the end writes to the queue of what failed.
    topic = boto3.resource("sns").Topic(os.environ["TOPIC_ARN"])
    react(event["Records"], publish=lambda message: topic.publish(Message=message))
