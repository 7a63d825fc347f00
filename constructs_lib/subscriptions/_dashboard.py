"""The part of a dashboard that is about subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from constructs_lib.monitoring._graphs import FULL_WIDTH, HEIGHT, graph, signal_graph
from constructs_lib.subscriptions._lost_buyers import LOST_BUYERS
from constructs_lib.subscriptions._signals import SIGNALS, Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aws_cdk import aws_logs as logs

    from constructs_lib.registration._metrics import RegistrationMetrics
    from constructs_lib.subscriptions._metrics import SubscriptionMetrics
    from constructs_lib.subscriptions.subscription_alarm_name import SubscriptionAlarmName

    _MetricMethod = Callable[..., cloudwatch.Metric]

_HOUR = Duration.hours(1)

_WATCHED_ROWS = (
    (Graph.EVENTS, Graph.ENTITLEMENTS, Graph.PUBLICATIONS),
    (Graph.AGE, Graph.PUBLICATION_AGE),
    (Graph.FUNCTIONS, Graph.DEAD),
)
_RECONCILIATION_ROW = (Graph.MISSED, Graph.LOST, Graph.RECONCILIATIONS)

# An unhandled error has no outcome: the runtime logs the exception's type.
_FAILED_EVENTS = (
    "fields @timestamp, coalesce(outcome, errorType) as failure, reason, detail_type",
    "fields CustomerAWSAccountId as account, message_id",
    'filter level in ["WARNING", "ERROR"] or ispresent(errorType)',
    "sort @timestamp desc",
    "limit 50",
)
_FAILED_PUBLICATIONS = (
    "fields @timestamp, coalesce(outcome, errorType) as failure, reason, detail_type",
    "fields CustomerAWSAccountId as account, ProductCode as product, record_id",
    'filter outcome != "published" or ispresent(errorType)',
    "sort @timestamp desc",
    "limit 50",
)
_MISSED_EVENTS = (
    "fields @timestamp, outcome, run, CustomerAWSAccountId as account, ProductCode as product",
    "fields AgreementId as agreement, LicenseArn as license",
    'filter outcome in ["license_missed", "agreement_missed"]',
    "sort @timestamp desc",
    "limit 50",
)


def rows(
    subscriptions: SubscriptionMetrics,
    *,
    registration: RegistrationMetrics,
    alarms: Mapping[SubscriptionAlarmName, cloudwatch.Alarm],
    subscriber_log_group: logs.ILogGroup,
    publisher_log_group: logs.ILogGroup,
    reconciler_log_group: logs.ILogGroup | None,
) -> Iterator[list[cloudwatch.IWidget]]:
    """Yield rows of widgets, from the alarms down to the single event."""
    if alarms:
        yield [
            cloudwatch.AlarmStatusWidget(
                title="Subscriptions: alarms", alarms=list(alarms.values()), width=FULL_WIDTH, height=4
            )
        ]
    yield [_numbers(subscriptions, registration)]
    yield [_funnel(subscriptions, registration), _events(subscriptions)]
    watched_rows = _WATCHED_ROWS if reconciler_log_group is None else (*_WATCHED_ROWS, _RECONCILIATION_ROW)
    for titles in watched_rows:
        yield [
            signal_graph(
                title,
                watched=subscriptions,
                signals=SIGNALS,
                alarms=alarms,
                width=FULL_WIDTH // len(titles),
            )
            for title in titles
        ]
    yield [
        _query("Last failed events and advisories", subscriber_log_group, *_FAILED_EVENTS),
        _query("Last failed publications", publisher_log_group, *_FAILED_PUBLICATIONS),
    ]
    if reconciler_log_group:
        yield [
            _query("Last lost buyers", reconciler_log_group, *LOST_BUYERS),
            _query("Last missed events", reconciler_log_group, *_MISSED_EVENTS),
        ]


def _numbers(subscriptions: SubscriptionMetrics, registration: RegistrationMetrics) -> cloudwatch.IWidget:
    return cloudwatch.SingleValueWidget(
        title="Subscriptions in the selected time range",
        metrics=[
            registration.metric_registrations(label="Registered"),
            subscriptions.metric_subscriptions_ready(label="Ready"),
            subscriptions.metric_subscriptions_changed(label="Changed"),
            subscriptions.metric_subscriptions_ended(label="Ended"),
            subscriptions.metric_licenses_updated(label="Licenses updated"),
            subscriptions.metric_licenses_deprovisioned(label="Licenses deprovisioned"),
            subscriptions.metric_publications_retried(label="Publications retried"),
        ],
        set_period_to_time_range=True,
        full_precision=True,
        width=FULL_WIDTH,
        height=3,
    )


def _funnel(subscriptions: SubscriptionMetrics, registration: RegistrationMetrics) -> cloudwatch.IWidget:
    return graph(
        "Registered, ready and ended, per hour",
        left=[
            registration.metric_registrations(label="Registered", color="#2ca02c", period=_HOUR),
            subscriptions.metric_subscriptions_ready(label="Ready", color="#1f77b4", period=_HOUR),
            subscriptions.metric_subscriptions_ended(label="Ended", color="#d62728", period=_HOUR),
        ],
        width=FULL_WIDTH // 2,
    )


def _events(subscriptions: SubscriptionMetrics) -> cloudwatch.IWidget:
    # Every attempt at an event has one outcome.
    outcomes: list[tuple[_MetricMethod, str, str]] = [
        (subscriptions.metric_licenses_updated, "Updated", "#2ca02c"),
        (subscriptions.metric_licenses_deprovisioned, "Deprovisioned", "#1f77b4"),
        (subscriptions.metric_agreements_recorded, "Agreement", "#aec7e8"),
        (subscriptions.metric_events_without_effect, "No effect", "#c7c7c7"),
        (subscriptions.metric_events_unknown, "Unknown", "#7f7f7f"),
        (subscriptions.metric_advisories_received, "Advisory", "#e377c2"),
        (subscriptions.metric_events_malformed, "Malformed", "#ff7f0e"),
        (subscriptions.metric_events_failed, "Failed", "#d62728"),
        (subscriptions.metric_events_not_stored, "DynamoDB failed", "#8c564b"),
        (subscriptions.metric_entitlements_throttled, "Throttled", "#c5b0d5"),
        (subscriptions.metric_entitlements_unavailable, "Unavailable", "#9467bd"),
        (subscriptions.metric_entitlements_refused, "Denied", "#ff9896"),
    ]
    return graph(
        "Attempts at events by outcome, per hour",
        left=[metric(label=label, color=color, period=_HOUR) for metric, label, color in outcomes],
        stacked=True,
        width=FULL_WIDTH // 2,
    )


def _query(title: str, log_group: logs.ILogGroup, *commands: str) -> cloudwatch.IWidget:
    return cloudwatch.LogQueryWidget(
        title=title,
        log_group_names=[log_group.log_group_name],
        query_lines=list(commands),
        view=cloudwatch.LogQueryVisualizationType.TABLE,
        width=FULL_WIDTH // 2,
        height=HEIGHT,
    )
