"""The figures that AWS does not publish, counted by metric filters on the logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping

# API Gateway writes the status into its log as a string.
_TOO_MANY_REQUESTS = "429"

OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "Registrations": ("registered", "registered_again"),
    "Claims": ("claimed",),
    "BadRequests": ("bad_request",),
    "TokensRefused": ("token_invalid", "token_expired"),
    "ProductsRefused": ("product_refused",),
    "ClaimsRefused": ("claim_refused",),
    "MarketplaceThrottled": ("marketplace_throttled",),
    "MarketplaceUnavailable": ("marketplace_unavailable",),
    "MarketplaceRefused": ("marketplace_refused",),
    "StoreUnavailable": ("store_unavailable",),
}
"""Metric name to the outcomes of the resolver's log line that it counts."""

TIMES: Mapping[str, str] = {"MarketplaceTime": "resolve_customer_ms", "StoreTime": "write_registration_ms"}
"""Metric name to the field of the resolver's log line that it takes, in milliseconds."""


class OutcomeMetrics(Construct):
    """Counts outcomes and takes times in the resolver's log, and counts throttled requests in the access log.

    Args:
        namespace: tells one registration's figures from another's.
        resolver_log_group: one JSON line with an ``outcome`` for each request.
        access_log_group: one JSON line with a ``status`` for each request; an HTTP API has no metric of what it
            throttles.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        namespace: str,
        resolver_log_group: logs.ILogGroup,
        access_log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        self._filters: dict[str, logs.MetricFilter] = {}
        for name, outcomes in OUTCOMES.items():
            patterns = (logs.FilterPattern.string_value("$.outcome", "=", outcome) for outcome in outcomes)
            self._add(name, namespace, resolver_log_group, logs.FilterPattern.any(*patterns))
        for name, field in TIMES.items():
            # FilterPattern.exists puts the star in quotes, which CloudWatch documents for text only.
            self._add(
                name, namespace, resolver_log_group, logs.FilterPattern.literal(f"{{ $.{field} = * }}"), f"$.{field}"
            )
        throttled = logs.FilterPattern.string_value("$.status", "=", _TOO_MANY_REQUESTS)
        self._add("ApiThrottled", namespace, access_log_group, throttled)

    def _add(
        self, name: str, namespace: str, log_group: logs.ILogGroup, pattern: logs.IFilterPattern, value: str = "1"
    ) -> None:
        self._filters[name] = logs.MetricFilter(
            self,
            name,
            log_group=log_group,
            filter_pattern=pattern,
            metric_namespace=namespace,
            metric_name=name,
            metric_value=value,
        )

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """Return the metric of that name, by default its sum; ``options`` are CDK's MetricOptions."""
        return self._filters[name].metric(**{"statistic": cloudwatch.Stats.SUM, **options})
