"""The dashboard, made from the public metrics, the table of signals and the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from constructs_lib._types import CONSTRUCT_ID, SCOPE, Kind, check_types, instance
from constructs_lib.monitoring._graphs import FULL_WIDTH, HEIGHT, graph, signal_graph, thresholds
from constructs_lib.registration._lost_buyers import LOST_BUYERS
from constructs_lib.registration._signals import SIGNALS, Graph
from constructs_lib.registration.lost_buyers_query import LostBuyersQuery
from constructs_lib.registration.marketplace_registration import MarketplaceRegistration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    _MetricMethod = Callable[..., cloudwatch.Metric]

# An hour's bar is tall enough to be seen at a few registrations a day, and a day still has a shape.
_HOUR = Duration.hours(1)

_WATCHED_ROWS = (
    (Graph.API, Graph.MARKETPLACE, Graph.REJECTED),
    (Graph.CLAIMS, Graph.STORE),
    (Graph.TABLE_THROTTLES, Graph.TABLE_ERRORS),
)

_PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "registration": instance("a MarketplaceRegistration", MarketplaceRegistration),
}


_LAST_FAILURES = (
    # An unhandled error has no outcome: the runtime logs the exception's type.
    "fields @timestamp, message as request, coalesce(outcome, errorType) as failure, reason",
    "fields CustomerAWSAccountId as account, status, api_request_id",
    "filter status >= 400 or ispresent(errorType)",
    "sort @timestamp desc",
    "limit 50",
)


class RegistrationDashboard(Construct):
    """Shows on one page what happens to the buyers of one registration construct.

    From top to bottom: the alarms, the buyers in numbers, the outcomes of their POSTs, the time that each part takes,
    throttles and errors against the thresholds of the alarms, the last failures, and the lost buyers.

    Provisions a dashboard, and the query of lost buyers for CloudWatch Logs Insights.

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        registration: the construct whose buyers are shown.

    Attributes:
        dashboard: to add widgets of your own.

    Raises:
        ValueError: a parameter is of another type.
    """

    def __init__(self, scope: Construct, construct_id: str, *, registration: MarketplaceRegistration) -> None:
        check_types(_PARAMETERS, locals())
        super().__init__(scope, construct_id)
        self._registration = registration
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.days(1),
            # Otherwise CloudWatch widens the period for long time ranges, and sums appear to cross thresholds that no
            # alarm evaluated.
            period_override=cloudwatch.PeriodOverride.INHERIT,
        )
        if registration.alarms:
            self.dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(
                    title="Alarms", alarms=list(registration.alarms.values()), width=FULL_WIDTH, height=4
                )
            )
        self.dashboard.add_widgets(self._numbers())
        self.dashboard.add_widgets(self._posts(), self._codes())
        self.dashboard.add_widgets(*self._times())
        for row in _WATCHED_ROWS:
            self.dashboard.add_widgets(*(self._watched(title, width=FULL_WIDTH // len(row)) for title in row))
        LostBuyersQuery(self, "LostBuyers", log_group=registration.log_group)
        self.dashboard.add_widgets(
            self._query("Last failures", *_LAST_FAILURES),
            self._query("Lost buyers", *LOST_BUYERS),
        )

    def _numbers(self) -> cloudwatch.IWidget:
        registration = self._registration
        return cloudwatch.SingleValueWidget(
            title="Buyers in the selected time range",
            metrics=[
                registration.metric_registrations(label="Registered"),
                registration.metric_claims(label="Claimed"),
                registration.metric_tokens_refused(label="Rejected: token"),
                registration.metric_products_refused(label="Rejected: product"),
                registration.metric_bad_requests(label="Rejected: unreadable"),
                registration.metric_claims_refused(label="Rejected: code"),
                registration.metric_codes_unclaimed(label="Not claimed"),
            ],
            set_period_to_time_range=True,
            full_precision=True,
            width=FULL_WIDTH,
            height=3,
        )

    def _posts(self) -> cloudwatch.IWidget:
        # Every POST has one outcome, so the stack is as high as the number of POSTs, without metric math.
        registration = self._registration
        outcomes: list[tuple[_MetricMethod, str, str]] = [
            (registration.metric_registrations, "Registered", "#2ca02c"),
            (registration.metric_tokens_refused, "Token rejected", "#ffbb78"),
            (registration.metric_products_refused, "Product rejected", "#ff7f0e"),
            (registration.metric_bad_requests, "Unreadable", "#c7c7c7"),
            (registration.metric_marketplace_throttled, "Marketplace throttled", "#c5b0d5"),
            (registration.metric_marketplace_unavailable, "Marketplace unavailable", "#9467bd"),
            (registration.metric_marketplace_refused, "Marketplace denied", "#d62728"),
            (registration.metric_store_unavailable, "DynamoDB unavailable", "#8c564b"),
        ]
        return graph(
            "Buyers' POSTs by outcome, per hour",
            left=[metric(label=label, color=color, period=_HOUR) for metric, label, color in outcomes],
            stacked=True,
            width=FULL_WIDTH // 2,
        )

    def _codes(self) -> cloudwatch.IWidget:
        registration = self._registration
        return graph(
            "Registered, and claimed by your backend, per hour",
            left=[
                registration.metric_registrations(label="Registered", color="#2ca02c", period=_HOUR),
                registration.metric_claims(label="Claimed", color="#1f77b4", period=_HOUR),
                registration.metric_claims_refused(label="Code rejected", color="#d62728", period=_HOUR),
            ],
            width=FULL_WIDTH // 2,
        )

    def _times(self) -> list[cloudwatch.IWidget]:
        registration = self._registration
        parts: list[tuple[str, _MetricMethod]] = [
            ("Time of Marketplace (ResolveCustomer)", registration.metric_marketplace_time),
            ("Time of DynamoDB (write of a registration)", registration.metric_store_time),
            (Graph.TIME, registration.metric_resolver_duration),
        ]
        shades = {50: "#98df8a", 90: "#1f77b4", 99: "#ff7f0e"}
        return [
            graph(
                title,
                left=[
                    metric(
                        statistic=cloudwatch.Stats.p(percentile),
                        label=f"p{percentile}",
                        color=color,
                        # At a few registrations a day the percentiles of minutes are all the same one request.
                        period=_HOUR,
                    )
                    for percentile, color in shades.items()
                ],
                left_annotations=thresholds(
                    {name: signal.label for name, signal in SIGNALS.items() if signal.graph == title},
                    registration.alarms,
                ),
                unit="ms",
                width=FULL_WIDTH // len(parts),
            )
            for title, metric in parts
        ]

    def _watched(self, title: Graph, *, width: int) -> cloudwatch.IWidget:
        return signal_graph(
            title,
            watched=self._registration,
            signals=SIGNALS,
            alarms=self._registration.alarms,
            width=width,
        )

    def _query(self, title: str, *commands: str) -> cloudwatch.IWidget:
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[self._registration.log_group.log_group_name],
            query_lines=list(commands),
            view=cloudwatch.LogQueryVisualizationType.TABLE,
            width=FULL_WIDTH // 2,
            height=HEIGHT,
        )
