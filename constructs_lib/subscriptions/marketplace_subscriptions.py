"""A second statement in a seller's stack, after which it is known who may use the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from constructs_lib._acknowledged import acknowledge, wildcard_of
from constructs_lib._marketplace_access import grant_agreements, grant_get_entitlements
from constructs_lib._parameters import validate_alarm_names, validate_alarms
from constructs_lib._types import check_types
from constructs_lib.functions._lambda_function import LambdaFunction
from constructs_lib.monitoring._alarms import make_alarms, validate_alarm_settings, validate_runbook_url
from constructs_lib.monitoring._log_metrics import LogMetrics, any_of
from constructs_lib.registration._lost_buyers import save_query
from constructs_lib.registration._parameters import validate_size
from constructs_lib.registration._store import grant_key_of, table_encryption
from constructs_lib.subscriptions._dashboard import rows
from constructs_lib.subscriptions._functions import (
    MEMORY_MIB,
    PUBLISHER,
    RECONCILER,
    RECONCILER_TIMEOUT_SECONDS,
    SUBSCRIBER,
    TIMEOUT_SECONDS,
)
from constructs_lib.subscriptions._lost_buyers import LOST_BUYERS
from constructs_lib.subscriptions._metrics import SubscriptionMetrics
from constructs_lib.subscriptions._outcomes import (
    EVENTS,
    NOT_OF_THE_FIRST_RUN,
    PUBLISHED,
    RECONCILED,
    RECONCILIATION_COUNTS,
    UNPUBLISHED,
)
from constructs_lib.subscriptions._parameters import (
    PARAMETERS,
    RULE_PARAMETERS,
    checked_agreements_region,
    checked_lost_buyer_delay,
    entitlements_region,
    stream_of,
    validate_alarms_of_reconciliation,
    validate_default_bus,
    validate_event_bus,
    validate_registration,
)
from constructs_lib.subscriptions._queues import (
    EVENT_SOURCE,
    Delivery,
    Discarded,
    allow_events_to_use,
    allow_rule_to_send,
    make_dead_letter_queue,
    make_queue,
)
from constructs_lib.subscriptions._signals import RECONCILIATION_SIGNALS, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_cloudwatch as cloudwatch

    from constructs_lib.functions._asset import FunctionAsset
    from constructs_lib.monitoring.alarm_settings import AlarmSettings
    from constructs_lib.registration._shared import Shared
    from constructs_lib.registration.marketplace_registration import MarketplaceRegistration
    from constructs_lib.subscriptions.subscription_alarm_name import SubscriptionAlarmName

_PUBLICATION_SOURCE = "marketplace-registration"

# Lambda asks for six times the function's time: that is how long a message is hidden after each attempt.
_VISIBILITY_TIMEOUT = Duration.seconds(6 * TIMEOUT_SECONDS)
# An hour of attempts.
_ATTEMPTS = 10
_BATCH = 10
# The fewest that there can be. GetEntitlements allows 20 calls per second to the whole publishing account.
_CONCURRENCY = 2

# By age alone, because AWS documents no interval between retries: a number of them may be used up within minutes. Two
# hours, because EventBridge may be out for one, and the backlog then gets through. A record that can never be published
# holds up its shard, which may have all buyers, no longer than that; and the table's stream still has it for 22 hours,
# to be published by hand.
_MAX_RECORD_AGE = Duration.hours(2)

_BETWEEN_RECONCILIATIONS = Duration.hours(1)


class MarketplaceSubscriptions(SubscriptionMetrics, Construct):
    """Records who may use the product, and tells your event bus when that changes.

    Provisions a rule that gets AWS Marketplace's events of licenses and agreements, a queue for them, the subscriber
    (a Lambda function that records them in the registrations table, with the license's entitlements), the publisher (a
    Lambda function that reads the table's stream and puts ``Buyer Registered``, ``Subscription Ready``, ``Subscription
    Changed`` and ``Subscription Ended`` on an event bus), a dead-letter queue for each, the reconciler (a Lambda
    function that every hour records what an event has missed, by asking AWS Marketplace for its agreements), a saved
    query of CloudWatch Logs Insights for the lost buyers that it reports, logs and alarms. A claim then returns
    ``LicenseStatus`` and ``Entitlements`` too.

    Keys, roles, retention and alarm actions are the registration's.

    Args:
        scope: the stack, or any construct in it, in the registration's account and region.
        construct_id: unique in ``scope``.
        registration: the construct whose buyers' licenses are recorded. A table of its own has a stream with new and
            old images, and was imported with the stream's ARN.
        event_bus: where AWS Marketplace's events arrive; by default the account's default bus, which is right in the
            publishing account in us-east-1 (eusc-de-east-1 in the European Sovereign Cloud) only. Elsewhere, a bus that
            ``MarketplaceEventForwarding`` forwards to.
        publication_event_bus: your bus, which is told what changed; by default the account's default bus.
        reconciliation: whether there is a reconciler; by default where AWS Marketplace has the Agreement API, which is
            everywhere but in China.
        lost_buyer_delay: how long after the start of a license its buyer may be unregistered before the reconciler
            reports the buyer as lost, from 15 minutes to 24 hours; by default 1 hour.
        alarm_settings: alarm name to its overrides, or to None to leave the alarm out; by default all alarms are
            created as ``docs/runbook.md`` says.

    Raises:
        ValueError: a parameter is invalid; the message gives the value and what is allowed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        registration: MarketplaceRegistration,
        event_bus: events.IEventBus | None = None,
        publication_event_bus: events.IEventBus | None = None,
        reconciliation: bool | None = None,
        lost_buyer_delay: Duration | None = None,
        alarm_settings: Mapping[SubscriptionAlarmName, AlarmSettings | None] | None = None,
    ) -> None:
        check_types(PARAMETERS, locals())
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        shared = registration._shared  # noqa: SLF001 - of this library, and no part of its interface
        validate_registration(registration, stack)
        validate_event_bus("event_bus", event_bus, stack)
        validate_event_bus("publication_event_bus", publication_event_bus, stack)
        if event_bus is None:
            validate_default_bus(stack, shared.seller_role)
        stream_arn = stream_of(registration.table)
        agreements_region = checked_agreements_region(shared.marketplace_region, reconciliation=reconciliation)
        lost_buyer_delay = checked_lost_buyer_delay(lost_buyer_delay, reconciliation=agreements_region is not None)
        validate_alarms(alarm_actions=(), ok_actions=(), alarm_settings=alarm_settings or {})
        validate_alarm_names(alarm_settings or {}, SIGNALS)
        signals = SIGNALS
        if not agreements_region:
            validate_alarms_of_reconciliation(alarm_settings or {})
            signals = {name: signal for name, signal in SIGNALS.items() if name not in RECONCILIATION_SIGNALS}
        validate_alarm_settings(alarm_settings or {}, SIGNALS)
        validate_runbook_url(shared.runbook_url, SIGNALS)

        self._registration = registration
        # Apart from this construct's own parts, whose ids a seller cannot know.
        self._rules = Construct(self, "On")
        default_bus = events.EventBus.from_event_bus_name(self, "DefaultBus", "default")
        self._event_bus = event_bus or default_bus
        self._publication_event_bus = publication_event_bus or default_bus
        self._show_in_claims(shared)
        self._make_queues(shared)
        self._rule = events.Rule(
            self,
            "Rule",
            description="Events of AWS Marketplace's licenses and agreements",
            event_bus=self._event_bus,
            # On the source alone, because Marketplace adds kinds: the subscriber chooses.
            event_pattern=events.EventPattern(source=[EVENT_SOURCE]),
            targets=[Delivery(self._queue, self._dead_letter_queue)],
        )
        allow_rule_to_send(self._rule, self._queue, self._dead_letter_queue)

        self._reconciliation_table: dynamodb.TableV2 | None = None
        self._reconciler: lambda_.Function | None = None
        self._reconciler_log_group: logs.LogGroup | None = None
        self._schedule: events.Rule | None = None
        if agreements_region:
            self._make_reconciliation(shared, agreements_region, lost_buyer_delay)
        subscriber = self._make_subscriber(shared)
        self._subscriber, self._subscriber_log_group = subscriber.function, subscriber.log_group
        publisher = self._make_publisher(shared, stream_arn)
        self._publisher, self._publisher_log_group = publisher.function, publisher.log_group

        self._log_metrics = self._make_log_metrics()
        self._alarms = make_alarms(
            self,
            signals=signals,
            actions=shared.alarm_actions,
            ok_actions=shared.ok_actions,
            runbook_url=shared.runbook_url,
            settings=alarm_settings or {},
        )

    def _show_in_claims(self, shared: Shared) -> None:
        """Let the resolver tell a claim what is recorded of the license."""
        registration = self._registration
        switch = {"SUBSCRIPTIONS": "true"}
        validate_size(
            shared.products,
            {**shared.resolver_environment, **switch},
            registration.table,
            registration.claims_table,
        )
        for name, value in switch.items():
            registration.resolver.add_environment(name, value)
        registration.table.grant(registration.resolver, "dynamodb:Query")

    def _make_queues(self, shared: Shared) -> None:
        key = shared.encryption_key
        if key:
            allow_events_to_use(key, Stack.of(self))
        self._dead_letter_queue = make_dead_letter_queue(self, "DeadLetters", encryption_key=key, of="the queue")
        self._queue = make_queue(
            self,
            "Queue",
            encryption_key=key,
            visibility_timeout=_VISIBILITY_TIMEOUT,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self._dead_letter_queue, max_receive_count=_ATTEMPTS),
        )
        self._publisher_dead_letter_queue = make_dead_letter_queue(
            self, "PublisherDeadLetters", encryption_key=key, of="the publisher's event source"
        )

    def _make_function(
        self,
        construct_id: str,
        shared: Shared,
        *,
        asset: FunctionAsset,
        description: str,
        environment: dict[str, str],
        reasons: Mapping[str, str],
        timeout_seconds: int = TIMEOUT_SECONDS,
    ) -> LambdaFunction:
        app_id = {"AWS_SDK_UA_APP_ID": shared.sdk_ua_app_id} if shared.sdk_ua_app_id else {}
        return LambdaFunction(
            self,
            construct_id,
            asset=asset,
            description=description,
            timeout_seconds=timeout_seconds,
            memory_mib=MEMORY_MIB,
            environment={"REGISTRATIONS_TABLE": self._registration.table.table_name, **environment, **app_id},
            reserved_concurrent_executions=None,
            encryption_key=shared.encryption_key,
            log_retention=shared.log_retention,
            removal_policy=shared.removal_policy,
            reasons=reasons,
        )

    def _make_subscriber(self, shared: Shared) -> LambdaFunction:
        subscriber = self._make_function(
            "Subscriber",
            shared,
            asset=SUBSCRIBER,
            description="Records AWS Marketplace's events of licenses and agreements in the registrations table",
            environment=self._marketplace_environment(shared),
            reasons={
                "CKV_AWS_115": "Its event source has a limit.",
                "Serverless-LambdaTracing": "The log line of each event has the time of every call to AWS.",
            },
        )
        table = self._registration.table
        for each in (table, self._reconciliation_table):
            if each:
                each.grant(subscriber.role, "dynamodb:UpdateItem")
                grant_key_of(each, subscriber.role)
        if shared.seller_role:
            shared.seller_role.grant_assume_role(subscriber.role)
        else:
            grant_get_entitlements(self, subscriber.role)
        self._queue.grant_consume_messages(subscriber.role)
        mapping = subscriber.function.add_event_source_mapping(
            "Queue",
            event_source_arn=self._queue.queue_arn,
            batch_size=_BATCH,
            max_concurrency=_CONCURRENCY,
            report_batch_item_failures=True,
        )
        acknowledge(mapping, {"Serverless-LambdaEventSourceMappingDestination": "The queue has a dead-letter queue."})
        return subscriber

    def _marketplace_environment(self, shared: Shared) -> dict[str, str]:
        """Return the variables of the functions that record what AWS Marketplace says."""
        optional = {
            "RECONCILIATION_TABLE": self._reconciliation_table.table_name if self._reconciliation_table else None,
            "SELLER_ROLE_ARN": shared.seller_role.role_arn if shared.seller_role else None,
            "SELLER_ROLE_EXTERNAL_ID": shared.seller_role_external_id,
        }
        return {
            "PRODUCTS": Stack.of(self).to_json_string(list(shared.products)),
            "ENTITLEMENTS_REGION": entitlements_region(shared.marketplace_region),
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _make_publisher(self, shared: Shared, stream_arn: str) -> LambdaFunction:
        bus = self._publication_event_bus
        publisher = self._make_function(
            "Publisher",
            shared,
            asset=PUBLISHER,
            description="Tells an event bus what changed in the registrations table",
            environment={"EVENT_BUS": bus.event_bus_name},
            reasons={
                "CKV_AWS_115": "There is one execution environment for each shard of the table's stream.",
                "Serverless-LambdaTracing": "No one waits for it, and the age of what it reads is a metric.",
            },
        )
        table = self._registration.table
        table.grant(publisher.role, "dynamodb:Query")
        if table.encryption_key:
            table.encryption_key.grant(publisher.role, "kms:Decrypt", "kms:DescribeKey")
        iam.Grant.add_to_principal(
            grantee=publisher.role,
            actions=["events:PutEvents"],
            resource_arns=[bus.event_bus_arn],
            # A call has several events.
            conditions={"ForAllValues:StringEquals": {"events:source": _PUBLICATION_SOURCE}},
        )
        # The CDK's own event source lists the streams of all tables.
        streams = f"{table.table_arn}/stream/*"
        access = iam.Policy(
            self,
            "Stream",
            roles=[publisher.role],
            statements=[
                iam.PolicyStatement(
                    actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                    resources=[stream_arn],
                ),
                iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=[streams]),
            ],
        )
        acknowledge(access, {wildcard_of(self, streams): "Lambda lists the streams of this one table."})
        mapping = publisher.function.add_event_source_mapping(
            "Stream",
            event_source_arn=stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            max_record_age=_MAX_RECORD_AGE,
            on_failure=Discarded(self._publisher_dead_letter_queue),
        )
        mapping.node.add_dependency(access)
        return publisher

    def _make_reconciliation(self, shared: Shared, agreements_region: str, lost_buyer_delay: Duration) -> None:
        # What is in it can be asked for again: there is nothing to keep when the stack is deleted.
        self._reconciliation_table = dynamodb.TableV2(
            self,
            "Reconciliation",
            partition_key=dynamodb.Attribute(name="Name", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            encryption=table_encryption(shared.encryption_key),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self._reconciliation_table,
            {"CKV_AWS_165": "What is in it can be asked for again: nothing needs restoring."},
        )
        next_run = "The next run does what a lost one did not."
        reconciler = self._make_function(
            "Reconciler",
            shared,
            asset=RECONCILER,
            description="Records in the registrations table what the events of AWS Marketplace have missed",
            environment={
                **self._marketplace_environment(shared),
                "AGREEMENTS_REGION": agreements_region,
                "LOST_BUYER_DELAY_SECONDS": str(lost_buyer_delay.to_seconds()),
            },
            reasons={
                "CKV_AWS_115": "It runs once an hour.",
                "CKV_AWS_116": next_run,
                "Serverless-LambdaDLQ": next_run,
                "Serverless-LambdaTracing": "The log line of each run has the time of the calls to AWS.",
            },
            timeout_seconds=RECONCILER_TIMEOUT_SECONDS,
        )
        invocation = lambda_.EventInvokeConfig(
            reconciler,
            "Invocation",
            function=reconciler.function,
            retry_attempts=0,
            # What has waited for an hour is overtaken by the next run.
            max_event_age=_BETWEEN_RECONCILIATIONS,
        )
        acknowledge(invocation, {"Serverless-LambdaAsyncFailureDestination": next_run})
        table = self._registration.table
        table.grant(reconciler.role, "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem")
        self._reconciliation_table.grant(reconciler.role, "dynamodb:Scan", "dynamodb:UpdateItem")
        for each in (table, self._reconciliation_table):
            grant_key_of(each, reconciler.role)
        if shared.seller_role:
            shared.seller_role.grant_assume_role(reconciler.role)
        else:
            grant_get_entitlements(reconciler, reconciler.role)
            grant_agreements(reconciler, reconciler.role)
        self._reconciler, self._reconciler_log_group = reconciler.function, reconciler.log_group
        save_query(Construct(self, "LostBuyers"), LOST_BUYERS, reconciler.log_group)
        self._schedule = events.Rule(
            self,
            "Schedule",
            description="Runs the reconciler every hour",
            schedule=events.Schedule.rate(_BETWEEN_RECONCILIATIONS),
            # Only by hand is the reconciler asked for more.
            targets=[targets.LambdaFunction(reconciler.function, event=events.RuleTargetInput.from_object({}))],
        )
        acknowledge(self._schedule, {"Serverless-EventBusDLQ": next_run})

    def _make_log_metrics(self) -> LogMetrics:
        metrics = LogMetrics(
            self,
            "Outcomes",
            namespace=f"MarketplaceSubscriptions/{self._subscriber.function_name}",
            log_group=self._subscriber_log_group,
            counts=EVENTS,
            times={},
        )
        for name, outcomes in UNPUBLISHED.items():
            metrics.add(name, self._publisher_log_group, any_of(outcomes))
        for name, kind in PUBLISHED.items():
            metrics.add(
                name,
                self._publisher_log_group,
                logs.FilterPattern.all(
                    logs.FilterPattern.string_value("$.outcome", "=", "published"),
                    logs.FilterPattern.string_value("$.detail_type", "=", kind),
                ),
            )
        if self._reconciler_log_group:
            for name, outcomes in RECONCILED.items():
                runs = ["hourly"] if name in NOT_OF_THE_FIRST_RUN else ["hourly", "first"]
                of_run = logs.FilterPattern.any(*(logs.FilterPattern.string_value("$.run", "=", run) for run in runs))
                metrics.add(name, self._reconciler_log_group, logs.FilterPattern.all(of_run, any_of(outcomes)))
            for name, field in RECONCILIATION_COUNTS.items():
                # As in LogMetrics: FilterPattern.exists puts the star in quotes.
                pattern = logs.FilterPattern.literal(f'{{ ($.run = "hourly") && ($.{field} = *) }}')
                metrics.add(name, self._reconciler_log_group, pattern, value=f"$.{field}")
        return metrics

    @property
    def rule(self) -> events.Rule:
        """The rule that gets AWS Marketplace's events."""
        return self._rule

    @property
    def event_bus(self) -> events.IEventBus:
        """The bus on which AWS Marketplace's events arrive."""
        return self._event_bus

    @property
    def publication_event_bus(self) -> events.IEventBus:
        """The bus that is told what changed."""
        return self._publication_event_bus

    @property
    def queue(self) -> sqs.Queue:
        """The queue of AWS Marketplace's events."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.Queue:
        """The queue of the events that were given up after ten attempts, or could not be delivered."""
        return self._dead_letter_queue

    @property
    def publisher_dead_letter_queue(self) -> sqs.Queue:
        """The queue that names the changes that were discarded untold: where they are in the table's stream."""
        return self._publisher_dead_letter_queue

    @property
    def subscriber(self) -> lambda_.Function:
        """The Lambda function that records events."""
        return self._subscriber

    @property
    def publisher(self) -> lambda_.Function:
        """The Lambda function that publishes changes."""
        return self._publisher

    @property
    def reconciler(self) -> lambda_.Function | None:
        """The Lambda function that records what an event has missed; None without reconciliation."""
        return self._reconciler

    @property
    def reconciliation_table(self) -> dynamodb.TableV2 | None:
        """The table of the reconciler's position and of what product code a product ID has; None without it."""
        return self._reconciliation_table

    @property
    def schedule(self) -> events.Rule | None:
        """The rule that runs the reconciler every hour; None without reconciliation."""
        return self._schedule

    @property
    def subscriber_log_group(self) -> logs.LogGroup:
        """The subscriber's log: one JSON line for each attempt at an event, with its ``outcome``."""
        return self._subscriber_log_group

    @property
    def publisher_log_group(self) -> logs.LogGroup:
        """The publisher's log: one JSON line for each publication, with its ``outcome``."""
        return self._publisher_log_group

    @property
    def reconciler_log_group(self) -> logs.LogGroup | None:
        """The reconciler's log: a JSON line for each finding and one for each run; None without reconciliation."""
        return self._reconciler_log_group

    @property
    def alarms(self) -> Mapping[SubscriptionAlarmName, cloudwatch.Alarm]:
        """The alarms by name."""
        return self._alarms

    def on_registered(
        self, construct_id: str, *, target: events.IRuleTarget | None = None, description: str | None = None
    ) -> events.Rule:
        """Make a rule for ``Buyer Registered``: a registration is new. It is no permission to use the product.

        Args:
            construct_id: unique among the rules of this construct.
            target: what to invoke; by default nothing, until the rule's ``add_target`` is called.
            description: of the rule.
        """
        return self._on("Buyer Registered", construct_id, target, description)

    def on_ready(
        self, construct_id: str, *, target: events.IRuleTarget | None = None, description: str | None = None
    ) -> events.Rule:
        """Make a rule for ``Subscription Ready``: the buyer is registered and the license active, so give access.

        Args:
            construct_id: unique among the rules of this construct.
            target: what to invoke; by default nothing, until the rule's ``add_target`` is called.
            description: of the rule.
        """
        return self._on("Subscription Ready", construct_id, target, description)

    def on_changed(
        self, construct_id: str, *, target: events.IRuleTarget | None = None, description: str | None = None
    ) -> events.Rule:
        """Make a rule for ``Subscription Changed``: the entitlements or the agreement of a ready one changed.

        Args:
            construct_id: unique among the rules of this construct.
            target: what to invoke; by default nothing, until the rule's ``add_target`` is called.
            description: of the rule.
        """
        return self._on("Subscription Changed", construct_id, target, description)

    def on_ended(
        self, construct_id: str, *, target: events.IRuleTarget | None = None, description: str | None = None
    ) -> events.Rule:
        """Make a rule for ``Subscription Ended``: take the access away.

        Args:
            construct_id: unique among the rules of this construct.
            target: what to invoke; by default nothing, until the rule's ``add_target`` is called.
            description: of the rule.
        """
        return self._on("Subscription Ended", construct_id, target, description)

    def add_to_dashboard(self, dashboard: cloudwatch.Dashboard) -> None:
        """Add the subscriptions to a dashboard, such as ``RegistrationDashboard(…).dashboard``.

        From top to bottom: the alarms, the subscriptions in numbers, what became of registrations and events, what the
        alarms watch against their thresholds, the last failures, and with the reconciliation the lost buyers and what
        the events have missed.

        Args:
            dashboard: gets the rows below its own.
        """
        for row in rows(
            self,
            registration=self._registration,
            alarms=self._alarms,
            subscriber_log_group=self._subscriber_log_group,
            publisher_log_group=self._publisher_log_group,
            reconciler_log_group=self._reconciler_log_group,
        ):
            dashboard.add_widgets(*row)

    def _on(
        self, kind: str, construct_id: str, target: events.IRuleTarget | None, description: str | None
    ) -> events.Rule:
        check_types(RULE_PARAMETERS, {"construct_id": construct_id, "target": target, "description": description})
        return events.Rule(
            self._rules,
            construct_id,
            description=description,
            event_bus=self._publication_event_bus,
            event_pattern=events.EventPattern(
                source=[_PUBLICATION_SOURCE],
                detail_type=[kind],
                # Another registration may publish on the same bus.
                resources=[self._registration.table.table_arn],
            ),
            targets=[target] if target else None,
        )
