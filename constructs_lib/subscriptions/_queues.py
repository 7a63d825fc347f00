"""The queues, and what EventBridge needs to write to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from constructs_lib._acknowledged import acknowledge

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk import aws_kms as kms
    from constructs import Construct

EVENT_SOURCE = "aws.agreement-marketplace"
"""The source of AWS Marketplace's events."""

# The longest that a queue has.
_RETENTION = Duration.days(14)


def make_queue(
    scope: Construct,
    construct_id: str,
    *,
    encryption_key: kms.IKey | None,
    visibility_timeout: Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """Make a queue that keeps messages as long as a queue can; without a key, SQS encrypts it with its own."""
    return sqs.Queue(
        scope,
        construct_id,
        retention_period=_RETENTION,
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.KMS if encryption_key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=encryption_key,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )


def make_dead_letter_queue(
    scope: Construct, construct_id: str, *, encryption_key: kms.IKey | None, of: str
) -> sqs.Queue:
    """Make a queue for messages that need a person.

    Args:
        scope: the construct that uses the queue.
        construct_id: unique in ``scope``.
        encryption_key: as for any queue.
        of: what it is the dead-letter queue of.
    """
    queue = make_queue(scope, construct_id, encryption_key=encryption_key)
    reason = f"It is the dead-letter queue of {of}."
    acknowledge(queue, {"AwsSolutions-SQS3": reason, "Serverless-SQSRedrivePolicy": reason})
    return queue


@jsii.implements(events.IRuleTarget)
class Delivery:
    """Delivers a rule's events to a queue, and to its dead-letter queue what cannot be delivered.

    The CDK's own target lets every account's rules write to an encrypted queue: with a key, it leaves out the
    condition.

    Args:
        queue: where the events go.
        dead_letter_queue: where they go otherwise.
    """

    def __init__(self, queue: sqs.IQueue, dead_letter_queue: sqs.IQueue) -> None:
        self._queue = queue
        self._dead_letter_queue = dead_letter_queue

    def bind(self, _rule: object, _id: str | None = None) -> events.RuleTargetConfig:
        return events.RuleTargetConfig(
            arn=self._queue.queue_arn,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._dead_letter_queue.queue_arn),
        )


def allow_rule_to_send(rule: events.IRule, *queues: sqs.Queue) -> None:
    """Let this rule, and no other, send to the queues."""
    for queue in queues:
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )


def allow_events_to_use(key: kms.IKey, stack: Stack) -> None:
    """Let EventBridge encrypt messages for this account's rules; an imported key's policy is its owner's to write.

    By the account: the rule is about the queue, which is about the key, so the key's policy cannot be about the rule.
    """
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )


@jsii.implements(lambda_.IEventSourceDlq)
class Discarded:
    """Sends to a queue where in the stream the records are that Lambda discards.

    The CDK's own destination grants the use of the key with wildcards.

    Args:
        queue: where Lambda sends it, with the function's role.
    """

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(self, _target: lambda_.IEventSourceMapping, handler: lambda_.IFunction) -> lambda_.DlqDestinationConfig:
        iam.Grant.add_to_principal(grantee=handler, actions=["sqs:SendMessage"], resource_arns=[self._queue.queue_arn])
        if self._queue.encryption_master_key:
            self._queue.encryption_master_key.grant(handler, "kms:Decrypt", "kms:GenerateDataKey")
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)
