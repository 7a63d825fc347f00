"""The dashboard, made from the public metrics and alarms only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from constructs_lib.lost_buyers import LOST_BUYERS, LostBuyersQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from constructs_lib.marketplace_registration import MarketplaceRegistration
    from constructs_lib.registration_alarms import AlarmName

    MetricMethod = Callable[..., cloudwatch.Metric]

_WIDTH = 24
_HEIGHT = 6

# An hour's bar is tall enough to be seen at a few registrations a day, and a day still has a shape.
_HOUR = Duration.hours(1)

# Where there is no alarm whose period would say otherwise.
_PERIOD = Duration.minutes(5)

_LAST_FAILURES = (
    # A failure that the resolver does not know has no outcome: the runtime logs the exception's type.
    "fields @timestamp, message as request, coalesce(outcome, errorType) as failure, reason",
    "fields CustomerAWSAccountId as account, status, api_request_id",
    "filter status >= 400 or ispresent(errorType)",
    "sort @timestamp desc",
    "limit 50",
)


class RegistrationDashboard(Construct):
    """Shows on one page what becomes of the buyers of one registration.

    From top to bottom: the alarms, the buyers in numbers, what became of their POSTs, the time that each part takes,
    throttles and errors against the thresholds of the alarms, the last failures, and the buyers who did not come back.

    Provisions a dashboard, and the query of lost buyers for CloudWatch Logs Insights.

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        registration: whose buyers are shown.

    Attributes:
        dashboard: to add widgets of your own.
    """

    def __init__(self, scope: Construct, construct_id: str, *, registration: MarketplaceRegistration) -> None:
        super().__init__(scope, construct_id)
        self._registration = registration
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.days(1),
            # Else a longer time range makes longer periods, whose sums cross thresholds that no alarm would see.
            period_override=cloudwatch.PeriodOverride.INHERIT,
        )
        if registration.alarms:
            self.dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(
                    title="Alarms", alarms=list(registration.alarms.values()), width=_WIDTH, height=4
                )
            )
        self.dashboard.add_widgets(self._numbers())
        self.dashboard.add_widgets(self._posts(), self._codes())
        self.dashboard.add_widgets(*self._times())
        self.dashboard.add_widgets(*self._failures())
        self.dashboard.add_widgets(*self._tables())
        LostBuyersQuery(self, "LostBuyers", log_group=registration.log_group)
        self.dashboard.add_widgets(
            self._query("Last failures", *_LAST_FAILURES),
            self._query("Buyers who did not come back", *LOST_BUYERS),
        )

    def _numbers(self) -> cloudwatch.IWidget:
        registration = self._registration
        return cloudwatch.SingleValueWidget(
            title="Buyers in the time shown",
            metrics=[
                registration.metric_registrations(label="Registered"),
                registration.metric_claims(label="Claimed"),
                registration.metric_tokens_refused(label="Refused: token"),
                registration.metric_products_refused(label="Refused: product"),
                registration.metric_bad_requests(label="Refused: unreadable"),
                registration.metric_claims_refused(label="Refused: code"),
            ],
            set_period_to_time_range=True,
            full_precision=True,
            width=_WIDTH,
            height=3,
        )

    def _posts(self) -> cloudwatch.IWidget:
        # Every POST ends in one outcome, so that the stack is as high as there were POSTs, without metric math.
        registration = self._registration
        ends: list[tuple[MetricMethod, str, str]] = [
            (registration.metric_registrations, "Registered", "#2ca02c"),
            (registration.metric_tokens_refused, "Token refused", "#ffbb78"),
            (registration.metric_products_refused, "Product refused", "#ff7f0e"),
            (registration.metric_bad_requests, "Unreadable", "#c7c7c7"),
            (registration.metric_marketplace_throttled, "Marketplace throttled", "#c5b0d5"),
            (registration.metric_marketplace_unavailable, "Marketplace unavailable", "#9467bd"),
            (registration.metric_marketplace_refused, "Marketplace refused us", "#d62728"),
            (registration.metric_store_unavailable, "Store unavailable", "#8c564b"),
        ]
        return _graph(
            "Buyers' POSTs by how they ended, per hour",
            left=[metric(label=label, color=color, period=_HOUR) for metric, label, color in ends],
            stacked=True,
            width=_WIDTH // 2,
        )

    def _codes(self) -> cloudwatch.IWidget:
        registration = self._registration
        return _graph(
            "Registered, and claimed by your product, per hour",
            left=[
                registration.metric_registrations(label="Registered", color="#2ca02c", period=_HOUR),
                registration.metric_claims(label="Claimed", color="#1f77b4", period=_HOUR),
                registration.metric_claims_refused(label="Code refused", color="#d62728", period=_HOUR),
            ],
            width=_WIDTH // 2,
        )

    def _times(self) -> list[cloudwatch.IWidget]:
        registration = self._registration
        parts: list[tuple[str, MetricMethod, AlarmName | None]] = [
            ("Time of Marketplace (ResolveCustomer)", registration.metric_marketplace_time, None),
            ("Time of the store (write of a registration)", registration.metric_store_time, None),
            ("Time in all (the resolver)", registration.metric_resolver_duration, "ResolverSlow"),
        ]
        shades = {50: "#98df8a", 90: "#1f77b4", 99: "#ff7f0e"}
        return [
            _graph(
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
                left_annotations=self._thresholds({alarm: "p99"}) if alarm else [],
                unit="ms",
                width=_WIDTH // 3,
            )
            for title, metric, alarm in parts
        ]

    def _failures(self) -> list[cloudwatch.IWidget]:
        registration = self._registration
        return [
            self._watched(
                "API and resolver: errors and throttles",
                {
                    "ApiServerErrors": ("API 5xx", registration.metric_api_server_errors),
                    "ApiThrottled": ("API throttled", registration.metric_api_throttled),
                    "ResolverErrors": ("Resolver errors", registration.metric_resolver_errors),
                    "ResolverThrottles": ("Resolver throttled", registration.metric_resolver_throttles),
                },
            ),
            self._watched(
                "Marketplace: errors and throttles",
                {
                    "MarketplaceThrottled": ("Throttled", registration.metric_marketplace_throttled),
                    "MarketplaceUnavailable": ("Unavailable", registration.metric_marketplace_unavailable),
                    "MarketplaceRefused": ("Refuses us", registration.metric_marketplace_refused),
                },
            ),
            self._watched(
                "Tokens and products refused",
                {
                    "TokensRefused": ("Tokens", registration.metric_tokens_refused),
                    "ProductsRefused": ("Products", registration.metric_products_refused),
                },
            ),
        ]

    def _tables(self) -> list[cloudwatch.IWidget]:
        registration = self._registration
        of_registrations = registration.metric_registrations_system_errors
        of_claims = registration.metric_claims_system_errors
        return [
            self._watched(
                "Store: requests that failed",
                {"StoreUnavailable": ("Store unavailable", registration.metric_store_unavailable)},
            ),
            self._watched(
                "Tables: throttles",
                {
                    "RegistrationsReadThrottled": (
                        "Registrations, read",
                        registration.metric_registrations_read_throttled,
                    ),
                    "RegistrationsWriteThrottled": (
                        "Registrations, write",
                        registration.metric_registrations_write_throttled,
                    ),
                    "ClaimsReadThrottled": ("Claims, read", registration.metric_claims_read_throttled),
                    "ClaimsWriteThrottled": ("Claims, write", registration.metric_claims_write_throttled),
                },
            ),
            self._watched(
                "Tables: errors of DynamoDB",
                {
                    "RegistrationsGetItemFails": ("Registrations, GetItem", partial(of_registrations, "GetItem")),
                    "RegistrationsUpdateItemFails": (
                        "Registrations, UpdateItem",
                        partial(of_registrations, "UpdateItem"),
                    ),
                    "ClaimsGetItemFails": ("Claims, GetItem", partial(of_claims, "GetItem")),
                    "ClaimsPutItemFails": ("Claims, PutItem", partial(of_claims, "PutItem")),
                    "ClaimsUpdateItemFails": ("Claims, UpdateItem", partial(of_claims, "UpdateItem")),
                },
            ),
        ]

    def _query(self, title: str, *commands: str) -> cloudwatch.IWidget:
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[self._registration.log_group.log_group_name],
            query_lines=list(commands),
            view=cloudwatch.LogQueryVisualizationType.TABLE,
            width=_WIDTH // 2,
            height=_HEIGHT,
        )

    def _watched(self, title: str, watched: Mapping[AlarmName, tuple[str, MetricMethod]]) -> cloudwatch.IWidget:
        return _graph(
            title,
            left=[metric(label=label, period=self._period(name)) for name, (label, metric) in watched.items()],
            left_annotations=self._thresholds({name: label for name, (label, _) in watched.items()}),
            width=_WIDTH // 3,
        )

    def _period(self, name: AlarmName) -> Duration:
        # A sum means something against a threshold only over the alarm's own period, which the seller may change.
        alarm = self._registration.alarms.get(name)
        return cast("cloudwatch.Metric", alarm.metric).period if alarm else _PERIOD

    def _thresholds(self, labels: Mapping[AlarmName, str]) -> list[cloudwatch.HorizontalAnnotation]:
        """Return one line for each threshold of the alarms that there are; those of the same value share one."""
        alarms: dict[float, list[str]] = {}
        for name, label in labels.items():
            if alarm := self._registration.alarms.get(name):
                alarms.setdefault(alarm.to_annotation().value, []).append(label)
        return [
            cloudwatch.HorizontalAnnotation(
                value=value,
                # Where all of a graph share the threshold, there is nothing to tell apart.
                label="Alarm" if len(of) == len(labels) else f"Alarm: {', '.join(of)}",
                color=cloudwatch.Color.RED,
            )
            for value, of in alarms.items()
        ]


def _graph(
    title: str,
    *,
    left: list[cloudwatch.Metric],
    width: int,
    left_annotations: list[cloudwatch.HorizontalAnnotation] | None = None,
    unit: str | None = None,
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=left,
        left_annotations=left_annotations,
        left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        stacked=stacked,
        width=width,
        height=_HEIGHT,
    )
