"""The public metrics of a subscriptions construct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_events as events
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

    from constructs_lib.monitoring._log_metrics import LogMetrics

_DEFAULT_BUS = "default"


class SubscriptionMetrics:
    """Makes the metrics; ``MarketplaceSubscriptions`` inherits them and sets what they are about."""

    _rule: events.Rule
    _event_bus: events.IEventBus
    _queue: sqs.Queue
    _dead_letter_queue: sqs.Queue
    _publisher_dead_letter_queue: sqs.Queue
    _subscriber: lambda_.Function
    _publisher: lambda_.Function
    _reconciler: lambda_.Function | None
    _log_metrics: LogMetrics

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of one of the metrics that are derived from the logs, such as ``LicensesUpdated``.

        Raises:
            ValueError: there is none of that name; the message lists them.
        """
        return self._log_metrics.metric(name, **options)

    def metric_licenses_updated(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the License Updated events that were recorded; ``options`` are CDK's MetricOptions."""
        return self.metric("LicensesUpdated", **options)

    def metric_licenses_deprovisioned(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the License Deprovisioned events that were recorded."""
        return self.metric("LicensesDeprovisioned", **options)

    def metric_agreements_recorded(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the events of agreements that were recorded."""
        return self.metric("AgreementsRecorded", **options)

    def metric_events_without_effect(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the events that change nothing: of other products, older than what is known, notices."""
        return self.metric("EventsWithoutEffect", **options)

    def metric_events_unknown(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the events of a kind that this release does not know."""
        return self.metric("EventsUnknown", **options)

    def metric_events_malformed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts to read a message that is no event of a known form."""
        return self.metric("EventsMalformed", **options)

    def metric_events_failed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at an event that an unexpected error ended."""
        return self.metric("EventsFailed", **options)

    def metric_events_not_stored(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at an event for which DynamoDB failed beyond the SDK's retries."""
        return self.metric("EventsNotStored", **options)

    def metric_advisories_received(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the advisories about a buyer, issued and resolved."""
        return self.metric("AdvisoriesReceived", **options)

    def metric_entitlements_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at an event that GetEntitlements throttled beyond the SDK's retries."""
        return self.metric("EntitlementsThrottled", **options)

    def metric_entitlements_unavailable(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at an event for which GetEntitlements failed or did not respond."""
        return self.metric("EntitlementsUnavailable", **options)

    def metric_entitlements_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at an event for which Marketplace denied the seller."""
        return self.metric("EntitlementsRefused", **options)

    def metric_subscriptions_ready(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the ``Subscription Ready`` events that were published."""
        return self.metric("SubscriptionsReady", **options)

    def metric_subscriptions_changed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the ``Subscription Changed`` events that were published."""
        return self.metric("SubscriptionsChanged", **options)

    def metric_subscriptions_ended(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the ``Subscription Ended`` events that were published."""
        return self.metric("SubscriptionsEnded", **options)

    def metric_publications_retried(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the publications that EventBridge or DynamoDB did not take; the stream repeats them."""
        return self.metric("PublicationsRetried", **options)

    def metric_publications_failed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the attempts at a publication that no repetition completes: denied, too large, a defect."""
        return self.metric("PublicationsFailed", **options)

    def metric_events_missed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the changes that the reconciler recorded in place of an event.

        Raises:
            ValueError: there is no reconciliation; so do the other metrics of the reconciler.
        """
        return self.metric("EventsMissed", **options)

    def metric_buyers_lost(self, **options: Any) -> cloudwatch.Metric:
        """Return the number of buyers of the last day who have an active license and no registration, as of a run."""
        return self.metric("BuyersLost", **_maximum(options))

    def metric_products_unknown(self, **options: Any) -> cloudwatch.Metric:
        """Return the number of agreements of the last day whose product's code is not known, as of a run."""
        return self.metric("ProductsUnknown", **_maximum(options))

    def metric_agreements_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the reconciler's calls that AWS Marketplace denied."""
        return self.metric("AgreementsRefused", **options)

    def metric_reconciliations_finished(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the hourly runs in which the reconciler has looked at everything."""
        return self.metric("ReconciliationsFinished", **options)

    def metric_reconciler_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the reconciler's unhandled errors."""
        if self._reconciler is None:
            raise ValueError("reconciliation: there is no reconciler")
        return self._reconciler.metric_errors(**options)

    def metric_events_age(self, **options: Any) -> cloudwatch.Metric:
        """Return the age of the oldest event in the queue, in seconds.

        SQS leaves out a message that it has delivered more than three times.
        """
        return self._queue.metric_approximate_age_of_oldest_message(**_maximum(options))

    def metric_events_dead(self, **options: Any) -> cloudwatch.Metric:
        """Return the number of messages in the dead-letter queue."""
        return self._dead_letter_queue.metric_approximate_number_of_messages_visible(**_maximum(options))

    def metric_events_undelivered(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the events that the rule could not deliver to the queue."""
        return _rule_metric(self._rule, self._event_bus, "FailedInvocations", options)

    def metric_publications_age(self, **options: Any) -> cloudwatch.Metric:
        """Return the age of the changes that the publisher reads from the table's stream, in milliseconds."""
        return self._publisher.metric("IteratorAge", **_maximum(options))

    def metric_publications_dead(self, **options: Any) -> cloudwatch.Metric:
        """Return the number of messages in the publisher's dead-letter queue."""
        return self._publisher_dead_letter_queue.metric_approximate_number_of_messages_visible(**_maximum(options))

    def metric_subscriber_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the subscriber's unhandled errors."""
        return self._subscriber.metric_errors(**options)

    def metric_subscriber_throttles(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the subscriber's invocations that Lambda throttled."""
        return self._subscriber.metric_throttles(**options)

    def metric_publisher_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the publisher's unhandled errors."""
        return self._publisher.metric_errors(**options)

    def metric_publisher_throttles(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the publisher's invocations that Lambda throttled."""
        return self._publisher.metric_throttles(**options)


class ForwardingMetrics:
    """Makes the metrics; ``MarketplaceEventForwarding`` inherits them and sets what they are about."""

    _rule: events.Rule
    _dead_letter_queue: sqs.Queue

    def metric_dead(self, **options: Any) -> cloudwatch.Metric:
        """Return the number of messages in the dead-letter queue; ``options`` are CDK's MetricOptions."""
        return self._dead_letter_queue.metric_approximate_number_of_messages_visible(**_maximum(options))

    def metric_failed(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the events that the rule could not forward."""
        return _rule_metric(self._rule, None, "FailedInvocations", options)


def _rule_metric(
    rule: events.IRule, event_bus: events.IEventBus | None, name: str, options: Mapping[str, Any]
) -> cloudwatch.Metric:
    """Return the sum of a rule's metric, whose dimensions depend on the bus.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    dimensions = {"RuleName": rule.rule_name}
    if event_bus and event_bus.event_bus_name != _DEFAULT_BUS:
        # The rule's reference would be "bus|rule"; its ARN ends in rule/bus/rule.
        rule_name = Fn.select(2, Fn.split("/", rule.rule_arn))
        dimensions = {"EventBusName": event_bus.event_bus_name, "RuleName": rule_name}
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name=name,
        dimensions_map=dimensions,
        **{"statistic": cloudwatch.Stats.SUM, **options},
    )


def _maximum(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"statistic": cloudwatch.Stats.MAXIMUM, **options}
