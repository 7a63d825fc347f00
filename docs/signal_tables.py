"""The documentation's tables that are generated from the table of signals."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, cast

from aws_cdk import App, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events

from constructs_lib import MarketplaceEventForwarding, MarketplaceRegistration, MarketplaceSubscriptions
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.subscriptions._signals import FORWARDING_SIGNALS
from constructs_lib.subscriptions._signals import SIGNALS as SUBSCRIPTION_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from constructs_lib.monitoring._signal import Signal

_UNITS: Mapping[tuple[str, str], str] = {
    ("Duration", "p99"): ", p99, milliseconds",
    ("IteratorAge", "Maximum"): ", maximum, milliseconds",
    ("ApproximateAgeOfOldestMessage", "Maximum"): ", maximum, seconds",
    ("ApproximateNumberOfMessagesVisible", "Maximum"): ", maximum",
    ("BuyersLost", "Maximum"): ", maximum",
    ("ProductsUnknown", "Maximum"): ", maximum",
}
"""What a metric's name does not say, if it is no sum."""


def alarm_names(literal: str, signals: Iterable[str]) -> str:
    """Return the source of the module that defines the names of a capability's alarms."""
    names = "".join(f'    "{name}",\n' for name in signals)
    return (
        '"""The names of the alarms; made from the table of signals by ``make generate``."""\n\n'
        f"from typing import Literal\n\n{literal} = Literal[\n{names}]\n"
    )


def defaults() -> str:
    """Return the runbook's table of defaults."""
    stack = Stack(App(), "Seller")
    registration = MarketplaceRegistration(stack, "Registration", products={"code": "https://app.example.com"})
    subscriptions = MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)
    elsewhere = events.EventBus.from_event_bus_arn(stack, "Bus", "arn:aws:events:eu-west-1:111122223333:event-bus/bus")
    forwarding = MarketplaceEventForwarding(stack, "Forwarding", event_bus=elsewhere)
    made: list[tuple[str, Signal, cloudwatch.Alarm]] = [
        *((name, SIGNALS[name], alarm) for name, alarm in registration.alarms.items()),
        *((name, SUBSCRIPTION_SIGNALS[name], alarm) for name, alarm in subscriptions.alarms.items()),
        *((name, FORWARDING_SIGNALS[name], alarm) for name, alarm in forwarding.alarms.items()),
    ]
    rows = [
        ("alarm", "metric", "threshold", "period", "breaching periods", "why"),
        ("---",) * 6,
        *(_row(name, signal, alarm) for name, signal, alarm in made),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, signal: Signal, alarm: cloudwatch.Alarm) -> tuple[str, ...]:
    metric = cast("cloudwatch.Metric", alarm.metric)
    text = f"`{metric.metric_name}`"
    if operation := (metric.dimensions or {}).get("Operation"):
        text += f" of `{operation}`"
    text += _UNITS.get((metric.metric_name, metric.statistic), "")
    text += ", from the logs" if Token.is_unresolved(metric.namespace) else f", {metric.namespace}"
    breaching = f"{signal.datapoints_to_alarm or signal.evaluation_periods} of {signal.evaluation_periods}"
    return (name, text, f"{signal.threshold:.15g}", metric.period.to_human_string(), breaching, signal.reason)


def watched() -> str:
    """Return the README's table of alarms, by the dashboard's graphs."""
    by_graph = groupby(sorted(SIGNALS.items(), key=lambda item: _order(item[1].graph)), key=lambda item: item[1].graph)
    rows = [("on the dashboard", "alarms"), ("---", "---")]
    for graph, signals in by_graph:
        links = (f"[{name}](docs/runbook.md#{signal.anchor})" for name, signal in signals)
        rows.append((graph, ", ".join(links)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _order(graph: str) -> int:
    return list(dict.fromkeys(signal.graph for signal in SIGNALS.values())).index(graph)
