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
    "MarketplaceThrottled": ("marketplace_throttled",),
    "MarketplaceUnavailable": ("marketplace_unavailable",),
    "MarketplaceRefused": ("marketplace_refused",),
    "StoreUnavailable": ("store_unavailable",),
}
"""Metric name to the outcomes of the resolver's log line that it counts."""


class OutcomeMetrics(Construct):
    """Counts outcomes in the resolver's log and throttled requests in the access log.

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
        patterns: dict[str, tuple[logs.ILogGroup, logs.IFilterPattern]] = {
            name: (
                resolver_log_group,
                logs.FilterPattern.any(*(logs.FilterPattern.string_value("$.outcome", "=", o) for o in outcomes)),
            )
            for name, outcomes in OUTCOMES.items()
        }
        patterns["ApiThrottled"] = (
            access_log_group,
            logs.FilterPattern.string_value("$.status", "=", _TOO_MANY_REQUESTS),
        )
        self._filters = {
            name: logs.MetricFilter(
                self,
                name,
                log_group=log_group,
                filter_pattern=pattern,
                metric_namespace=namespace,
                metric_name=name,
                metric_value="1",
            )
            for name, (log_group, pattern) in patterns.items()
        }

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of what the filter of that name counts; ``options`` are CDK's MetricOptions."""
        return self._filters[name].metric(**{"statistic": cloudwatch.Stats.SUM, **options})
