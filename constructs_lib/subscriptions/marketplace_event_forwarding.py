"""Forwarding of AWS Marketplace's events out of the publishing account's region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from constructs_lib._parameters import validate_alarms, validate_url
from constructs_lib._types import check_types
from constructs_lib.monitoring._alarms import make_alarms, validate_runbook_url
from constructs_lib.subscriptions._metrics import ForwardingMetrics
from constructs_lib.subscriptions._parameters import FORWARDING_PARAMETERS, validate_forwarding
from constructs_lib.subscriptions._queues import EVENT_SOURCE, make_dead_letter_queue
from constructs_lib.subscriptions._signals import FORWARDING_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_sqs as sqs


class MarketplaceEventForwarding(ForwardingMetrics, Construct):
    """Forwards AWS Marketplace's events to an event bus in another account or region.

    Marketplace puts the events of licenses and agreements on the default event bus of the publishing account in
    us-east-1 (eusc-de-east-1 in the European Sovereign Cloud): deploy this there, and pass the bus to
    ``MarketplaceSubscriptions(event_bus=…)`` in the product's stack.

    The policy of a bus in another account must allow ``events:PutEvents`` to this account.

    Provisions a rule, the role with which EventBridge puts the events on the other bus, a dead-letter queue that keeps
    for 14 days what could not be forwarded, and two alarms.

    Args:
        scope: the publishing account's stack in us-east-1, or any construct in it.
        construct_id: unique in ``scope``.
        event_bus: the bus in the other account or region, such as ``EventBus.from_event_bus_arn(stack, "Bus", arn)``.
        alarm_actions: actions of both alarms when they fire; by default none.
        ok_actions: actions of both alarms when they return to OK; by default none.
        runbook_url: https URL of your copy of ``docs/runbook.md``. By default the alarms' texts name the file.

    Raises:
        ValueError: a parameter is invalid; the message gives the value and what is allowed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        event_bus: events.IEventBus,
        alarm_actions: Sequence[cloudwatch.IAlarmAction] = (),
        ok_actions: Sequence[cloudwatch.IAlarmAction] = (),
        runbook_url: str | None = None,
    ) -> None:
        check_types(FORWARDING_PARAMETERS, locals())
        super().__init__(scope, construct_id)
        validate_forwarding(Stack.of(self), event_bus)
        validate_alarms(alarm_actions=alarm_actions, ok_actions=ok_actions, alarm_settings={})
        validate_url("runbook_url:", runbook_url, "https")
        validate_runbook_url(runbook_url, FORWARDING_SIGNALS)
        self._dead_letter_queue = make_dead_letter_queue(
            self, "DeadLetters", encryption_key=None, of="the rule's target"
        )
        self._role = iam.Role(
            self,
            "Role",
            description="Puts AWS Marketplace's events on the event bus that they are forwarded to",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
        )
        self._rule = events.Rule(
            self,
            "Rule",
            description="Forwards the events of AWS Marketplace's licenses and agreements",
            event_pattern=events.EventPattern(source=[EVENT_SOURCE]),
            targets=[targets.EventBus(event_bus, role=self._role, dead_letter_queue=self._dead_letter_queue)],
        )
        self._alarms = make_alarms(
            self,
            signals=FORWARDING_SIGNALS,
            actions=alarm_actions,
            ok_actions=ok_actions,
            runbook_url=runbook_url,
            settings={},
        )

    @property
    def rule(self) -> events.Rule:
        """The rule that gets AWS Marketplace's events."""
        return self._rule

    @property
    def role(self) -> iam.Role:
        """The role that puts the events on the other bus, to be named in that bus's policy."""
        return self._role

    @property
    def dead_letter_queue(self) -> sqs.Queue:
        """The queue of the events that could not be forwarded."""
        return self._dead_letter_queue

    @property
    def alarms(self) -> Mapping[str, cloudwatch.Alarm]:
        """The alarms by name: ``ForwardingDead`` and ``ForwardingFailed``."""
        return self._alarms
