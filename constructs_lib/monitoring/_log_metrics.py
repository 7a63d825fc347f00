"""Metrics that AWS does not publish, derived from logs by metric filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping


class LogMetrics(Construct):
    """Counts outcomes and takes times in a function's log.

    Args:
        scope: the construct whose function writes the log.
        construct_id: unique in ``scope``.
        namespace: tells the metrics of one construct from those of another.
        log_group: one JSON line with an ``outcome`` for each request.
        counts: metric name to the outcomes that it counts.
        times: metric name to the field that it takes, in milliseconds.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        namespace: str,
        log_group: logs.ILogGroup,
        counts: Mapping[str, tuple[str, ...]],
        times: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self._namespace = namespace
        self._filters: dict[str, logs.MetricFilter] = {}
        self._last_of: dict[str, logs.MetricFilter] = {}
        for name, outcomes in counts.items():
            self.add(name, log_group, any_of(outcomes))
        for name, field in times.items():
            # FilterPattern.exists puts the star in quotes, which CloudWatch documents for text only.
            self.add(name, log_group, logs.FilterPattern.literal(f"{{ $.{field} = * }}"), value=f"$.{field}")

    def add(
        self,
        name: str,
        log_group: logs.ILogGroup,
        pattern: logs.IFilterPattern,
        *,
        value: str = "1",
        construct_id: str | None = None,
    ) -> None:
        """Make one more metric, of any log; with a ``construct_id``, let one more filter publish to a metric."""
        made = self._filters[name] = logs.MetricFilter(
            self,
            construct_id or name,
            log_group=log_group,
            filter_pattern=pattern,
            metric_namespace=self._namespace,
            metric_name=name,
            metric_value=value,
        )
        # CloudWatch Logs may reject concurrent changes of one log group, so its filters are made one after the other.
        if before := self._last_of.get(log_group.node.addr):
            made.node.add_dependency(before)
        self._last_of[log_group.node.addr] = made

    def add_difference(
        self, name: str, log_group: logs.ILogGroup, *, plus: tuple[str, ...], minus: tuple[str, ...]
    ) -> None:
        """Make a metric whose sum is the count of some outcomes less the count of others, without metric math."""
        self.add(name, log_group, any_of(plus))
        self.add(name, log_group, any_of(minus), value="-1", construct_id=f"{name}Minus")

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """Return the metric of that name, by default its sum.

        Raises:
            ValueError: there is none of that name.
        """
        if name not in self._filters:
            raise ValueError(f"name: must be one of {', '.join(self._filters)}, got {name!r}")
        return self._filters[name].metric(**{"statistic": cloudwatch.Stats.SUM, **options})


def any_of(outcomes: tuple[str, ...]) -> logs.JsonPattern:
    """Return the pattern of the lines that have one of the outcomes."""
    patterns = (logs.FilterPattern.string_value("$.outcome", "=", outcome) for outcome in outcomes)
    return logs.FilterPattern.any(*patterns)
