"""The tables of signals: one entry for everything that is watched of subscriptions, and of the forwarding of events.

Alarms, the dashboard's graphs, the runbook's table of defaults and ``SubscriptionAlarmName`` are made from them;
``make generate`` writes those that are files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from constructs_lib.monitoring._signal import Signal
from constructs_lib.subscriptions._metrics import ForwardingMetrics, SubscriptionMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_cdk import aws_cloudwatch as cloudwatch

    from constructs_lib.subscriptions.subscription_alarm_name import SubscriptionAlarmName


class Graph(StrEnum):
    """The dashboard's graphs that show signals, in their order there."""

    EVENTS = "Events that need a person or a fix"
    ENTITLEMENTS = "GetEntitlements: denied and throttled"
    AGE = "Events: age of the oldest in the queue"
    PUBLICATION_AGE = "Publications: age of the changes that are read"
    FUNCTIONS = "Subscriber and publisher: errors and throttles"
    PUBLICATIONS = "Publications: failed"
    DEAD = "Dead letters and undelivered events"
    MISSED = "Reconciliation: events missed"
    LOST = "Reconciliation: lost buyers, unknown products"
    RECONCILIATIONS = "Reconciliation: finished, denied, errors"


# Products have few events, and each decides about a buyer's access. So where only the operator can fix it, one failure
# is enough. The queue retries after six minutes: the period is longer, so that a message that keeps failing does not
# make its alarm fire again and again.
_ONE = 1
_LONGER_THAN_A_RETRY_MINUTES = 15

# The queue retries what was throttled.
_NOT_BAD_LUCK = 3

# An alarm on throttles fires if they last; so does one on runs that do not finish, each of which may have a reason.
_LASTING_PERIODS = 3

# The reconciler runs every hour. What it finds in every run is in each period of two hours, so its alarm fires once.
_BETWEEN_RUNS_MINUTES = 60
_LONGER_THAN_BETWEEN_RUNS_MINUTES = 120

# An event is usually handled within seconds. SQS counts a message until it was delivered more than three times, for 18
# minutes here, so an event that fails every time is old enough for two periods at least.
_AGE_SECONDS = 600
_AGE_MILLISECONDS = _AGE_SECONDS * 1000

_AS_ABOVE = "as above"
_ROLL_BACK = "The traceback is in its log: roll back the last deployment, then report it."


def _errors(metric: Callable[..., cloudwatch.Metric], function: str, source: str, reason: str) -> Signal:
    return Signal(
        metric=metric,
        threshold=_ONE,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description=f"The {function} ended with an unhandled error or a timeout, and {source} repeats what it had. "
        f"{_ROLL_BACK}",
        reason=reason,
        graph=Graph.FUNCTIONS,
        label=f"{function.capitalize()} errors",
        runbook="SubscriberErrors, EventsFailed, PublisherErrors",
    )


def _throttles(metric: Callable[..., cloudwatch.Metric], function: str, reason: str) -> Signal:
    return Signal(
        metric=metric,
        threshold=_ONE,
        evaluation_periods=_LASTING_PERIODS,
        description=f"Lambda has had no execution environment for the {function} for a quarter of an hour; nothing is "
        "lost yet. Find the function that uses up the account's concurrency, or raise it.",
        reason=reason,
        graph=Graph.FUNCTIONS,
        label=f"{function.capitalize()} throttled",
        runbook="SubscriberThrottles, PublisherThrottles",
    )


RECONCILIATION_SIGNALS: Mapping[SubscriptionAlarmName, Signal] = {
    "EventsMissed": Signal(
        metric=SubscriptionMetrics.metric_events_missed,
        threshold=_ONE,
        minutes=_BETWEEN_RUNS_MINUTES,
        description="The reconciler has recorded a change of a license or an agreement of which no event came, so a "
        "buyer got or lost access late. Check the rule, the forwarding and the queue: the next events may be missing "
        "too.",
        reason="an event is recorded within minutes, so its way is broken, or EventBridge has lost it",
        graph=Graph.MISSED,
        label="Missed",
        runbook="EventsMissed",
    ),
    "BuyersLost": Signal(
        metric=SubscriptionMetrics.metric_buyers_lost,
        threshold=_ONE,
        minutes=_LONGER_THAN_BETWEEN_RUNS_MINUTES,
        description="A buyer has an active license and has not registered, so the buyer has a subscription but no "
        "account. The reconciler's log names the buyer's AWS account and the agreement: contact the buyer.",
        reason="each is a buyer with a subscription but no account, and only a person can ask why",
        graph=Graph.LOST,
        label="Buyers lost",
        runbook="BuyersLost",
    ),
    "ProductsUnknown": Signal(
        metric=SubscriptionMetrics.metric_products_unknown,
        threshold=_ONE,
        minutes=_LONGER_THAN_BETWEEN_RUNS_MINUTES,
        description="There are agreements of a product whose product code is not known yet, so what is missing of them "
        "cannot be recorded. Look up the product code in the portal and tell the reconciler.",
        reason="only the operator can fix it, and nobody else would notice",
        graph=Graph.LOST,
        label="Products unknown",
        runbook="ProductsUnknown",
    ),
    "AgreementsRefused": Signal(
        metric=SubscriptionMetrics.metric_agreements_refused,
        threshold=_ONE,
        minutes=_LONGER_THAN_BETWEEN_RUNS_MINUTES,
        description="AWS Marketplace denies the reconciler a call, so a missed event stays unnoticed. The reason in "
        "the log line says why: AccessDenied is about the seller's role, AccessDeniedException about its permissions "
        "or the account.",
        reason="only the operator can fix it",
        graph=Graph.RECONCILIATIONS,
        label="Denied",
        runbook="AgreementsRefused",
    ),
    "ReconcilerErrors": Signal(
        metric=SubscriptionMetrics.metric_reconciler_errors,
        threshold=_ONE,
        minutes=_BETWEEN_RUNS_MINUTES,
        description="The reconciler ended with an unhandled error or a timeout, and the next run begins again. "
        f"{_ROLL_BACK}",
        reason="the failure at a single agreement is no error",
        graph=Graph.RECONCILIATIONS,
        label="Errors",
        runbook="ReconcilerErrors, ReconciliationsLate",
    ),
    "ReconciliationsLate": Signal(
        metric=SubscriptionMetrics.metric_reconciliations_finished,
        threshold=_ONE,
        minutes=_BETWEEN_RUNS_MINUTES,
        evaluation_periods=_LASTING_PERIODS,
        below=True,
        description="The reconciler has finished no run for three hours, so a missed event or a lost buyer stays "
        "unnoticed. Its log says what fails; if it has no lines, the schedule does not run it.",
        reason="three hours: a single run may fail, or be cut in two by its time limit",
        graph=Graph.RECONCILIATIONS,
        label="Finished",
        runbook="ReconcilerErrors, ReconciliationsLate",
    ),
}
"""Alarm name to signal, of the alarms that only a reconciliation has."""

SIGNALS: Mapping[SubscriptionAlarmName, Signal] = {
    "EventsDelayed": Signal(
        metric=SubscriptionMetrics.metric_events_age,
        threshold=_AGE_SECONDS,
        description="An event of AWS Marketplace has waited for ten minutes: a buyer may be without access, or keep it "
        "after the end. The subscriber's log says what fails; if it has no lines, the subscriber does not run.",
        reason="ten minutes: an event is handled within seconds, or its second attempt has failed too",
        graph=Graph.AGE,
        label="Oldest",
        runbook="EventsDelayed",
    ),
    "EventsDead": Signal(
        metric=SubscriptionMetrics.metric_events_dead,
        threshold=_ONE,
        description="An event of AWS Marketplace was given up after ten attempts, or could not be delivered to the "
        "queue; it is kept for 14 days. Fix what the subscriber's log names, then redrive the dead-letter queue.",
        reason="only the operator can fix it, and a buyer's access depends on it",
        graph=Graph.DEAD,
        label="Events",
        runbook="EventsDead",
    ),
    "EventsUndelivered": Signal(
        metric=SubscriptionMetrics.metric_events_undelivered,
        threshold=_ONE,
        description="EventBridge could not deliver an event of AWS Marketplace to the queue. Check the queue's policy "
        "and key, then redrive the dead-letter queue; what is not there is lost and has to be looked up in the portal.",
        reason=_AS_ABOVE,
        graph=Graph.DEAD,
        label="Undelivered",
        runbook="EventsUndelivered",
    ),
    "EventsMalformed": Signal(
        metric=SubscriptionMetrics.metric_events_malformed,
        threshold=_ONE,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description="A message is no event of AWS Marketplace that this release can read, and goes to the dead-letter "
        "queue within an hour. If Marketplace sent it, its format has changed; otherwise someone else writes to the "
        "queue.",
        reason="AWS's own events have one form, so its form or the sender has changed",
        graph=Graph.EVENTS,
        label="Malformed",
        runbook="EventsMalformed",
    ),
    "EventsFailed": Signal(
        metric=SubscriptionMetrics.metric_events_failed,
        threshold=_ONE,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description="An unexpected error ended the work on an event, and the queue delivers it again. The reason in "
        "the log line is the place in the code: roll back the last deployment, then report it.",
        reason="every expected failure is handled; anything left is a bug",
        graph=Graph.EVENTS,
        label="Failed",
        runbook="SubscriberErrors, EventsFailed, PublisherErrors",
    ),
    "AdvisoriesReceived": Signal(
        metric=SubscriptionMetrics.metric_advisories_received,
        threshold=_ONE,
        description="AWS Marketplace has issued or resolved an advisory about a buyer: the account may be compromised "
        "or closed, or its use abusive. A person has to decide: the log line names the account and the agreement.",
        reason="each is about one buyer, and only a person can decide about it",
        graph=Graph.EVENTS,
        label="Advisories",
        runbook="AdvisoriesReceived",
    ),
    "EntitlementsRefused": Signal(
        metric=SubscriptionMetrics.metric_entitlements_refused,
        threshold=_ONE,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description="AWS Marketplace denies the subscriber GetEntitlements, so licenses have their status but no "
        "entitlements. The reason in the log line says why: AccessDenied is about the seller's role, "
        "AccessDeniedException about the account.",
        reason="only the operator can fix it",
        graph=Graph.ENTITLEMENTS,
        label="Denied",
        runbook="EntitlementsRefused, EntitlementsThrottled",
    ),
    "EntitlementsThrottled": Signal(
        metric=SubscriptionMetrics.metric_entitlements_throttled,
        threshold=_NOT_BAD_LUCK,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description="AWS Marketplace throttles GetEntitlements beyond the SDK's retries; the queue retries. Find out "
        "what in the publishing account uses up its 20 calls per second, or ask AWS for more.",
        reason="the queue bridges one; the subscriber alone stays below the limit",
        graph=Graph.ENTITLEMENTS,
        label="Throttled",
        runbook="EntitlementsRefused, EntitlementsThrottled",
    ),
    "SubscriberErrors": _errors(
        SubscriptionMetrics.metric_subscriber_errors,
        "subscriber",
        "the queue",
        "the failure of a single event is no error",
    ),
    "SubscriberThrottles": _throttles(
        SubscriptionMetrics.metric_subscriber_throttles,
        "subscriber",
        "the queue bridges a throttle that passes, and only the operator can fix one that lasts",
    ),
    "PublicationsDelayed": Signal(
        metric=SubscriptionMetrics.metric_publications_age,
        threshold=_AGE_MILLISECONDS,
        description="A change of the registrations table has been waiting for ten minutes to be told to your event "
        "bus. After two hours it is discarded: fix what the publisher's log names before.",
        reason="ten minutes: a change is told within seconds",
        graph=Graph.PUBLICATION_AGE,
        label="Oldest",
        runbook="PublicationsDelayed, PublicationsFailed",
    ),
    "PublicationsFailed": Signal(
        metric=SubscriptionMetrics.metric_publications_failed,
        threshold=_ONE,
        minutes=_LONGER_THAN_A_RETRY_MINUTES,
        description="A change of the registrations table cannot be told to your event bus, and those after it wait. "
        "The reason in the log line says why: EventBridge denies it, the event is too large, or there is a bug.",
        reason="no retry helps: only the operator can fix it, and after two hours the change is discarded",
        graph=Graph.PUBLICATIONS,
        label="Failed",
        runbook="PublicationsDelayed, PublicationsFailed",
    ),
    "PublicationsDead": Signal(
        metric=SubscriptionMetrics.metric_publications_dead,
        threshold=_ONE,
        description="Changes of the registrations table were discarded untold after two hours. They can be read from "
        "the table's stream for 22 hours more: fix what the publisher's log names, then publish them by hand.",
        reason="only the operator can fix it, within a day",
        graph=Graph.DEAD,
        label="Publications",
        runbook="PublicationsDead",
    ),
    "PublisherErrors": _errors(
        SubscriptionMetrics.metric_publisher_errors,
        "publisher",
        "the stream",
        "the failure of a single change is no error",
    ),
    "PublisherThrottles": _throttles(SubscriptionMetrics.metric_publisher_throttles, "publisher", _AS_ABOVE),
    **RECONCILIATION_SIGNALS,
}
"""Alarm name to signal, in the order in which they are listed everywhere."""

_FORWARDING = "ForwardingDead, ForwardingFailed"

FORWARDING_SIGNALS: Mapping[str, Signal] = {
    "ForwardingDead": Signal(
        metric=ForwardingMetrics.metric_dead,
        threshold=_ONE,
        description="EventBridge could not forward an event of AWS Marketplace to the other bus; it is kept for 14 "
        "days. Check the other bus and its policy, then put the messages into the queue of the subscriptions.",
        reason="only the operator can fix it, and a buyer's access depends on it",
        graph="",
        label="Dead letters",
        runbook=_FORWARDING,
    ),
    "ForwardingFailed": Signal(
        metric=ForwardingMetrics.metric_failed,
        threshold=_ONE,
        description="EventBridge could not forward an event of AWS Marketplace to the other bus. Check the other bus "
        "and its policy; what is not in the dead-letter queue is lost and has to be looked up in the portal.",
        reason=_AS_ABOVE,
        graph="",
        label="Failed",
        runbook=_FORWARDING,
    ),
}
"""Alarm name to signal, of the forwarding in the publishing account, which has no dashboard."""
