"""Checks of what is made of the logs: metrics, and the queries for CloudWatch Logs Insights."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from constructs_lib.registration._outcomes import CODES_UNCLAIMED, COUNTS, TIMES
from constructs_lib.subscriptions._outcomes import EVENTS, PUBLISHED, RECONCILED, RECONCILIATION_COUNTS, UNPUBLISHED
from constructs_lib.verify._check import Check, Result, compared, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

_STREAM = "verify"
_SOURCES = re.compile(r"SOURCE '([^']+)' \| (.+)", re.DOTALL)
_HOUR = 3600
_ENDED = {"Complete", "Failed", "Cancelled", "Timeout"}


class _Line(NamedTuple):
    """A line, the log that it belongs to, and what it adds to which metrics."""

    group: str
    content: dict[str, Any]
    metrics: dict[str, float]


def lines() -> Iterator[_Line]:
    """Return lines like those of the functions and of the API.

    Most outcomes need a buyer, and the failures a failure of AWS; so the lines are written into the logs as they are.
    """
    yield from _of_registrations()
    yield from _of_subscriptions()


def _of_registrations() -> Iterator[_Line]:
    for metric, outcomes in COUNTS.items():
        for outcome in outcomes:
            unclaimed = {"Registrations": {CODES_UNCLAIMED: 1}, "Claims": {CODES_UNCLAIMED: -1}}.get(metric, {})
            message = "POST /claim" if metric == "Claims" else "POST /register"
            # A buyer each, so that those who registered have claimed nothing.
            line = {"message": message, "outcome": outcome, "status": 400, "CustomerAWSAccountId": f"verify {outcome}"}
            yield _Line("LogGroup", line, {metric: 1, **unclaimed})
    for metric, field in TIMES.items():
        yield _Line("LogGroup", {"message": "GET /register", field: 0.5}, {metric: 0.5})
    yield _Line("AccessLogGroup", {"routeKey": "GET /register", "status": "429"}, {"ApiThrottled": 1})
    yield _Line("AccessLogGroup", {"routeKey": "POST /claim", "status": "403"}, {"ClaimsDenied": 1})


def _of_subscriptions() -> Iterator[_Line]:
    for group, shared, counts in (
        ("SubscriberLogGroup", {"level": "ERROR"}, EVENTS),
        ("PublisherLogGroup", {"level": "ERROR"}, UNPUBLISHED),
        ("ReconcilerLogGroup", {"run": "hourly"}, RECONCILED),
    ):
        for metric, outcomes in counts.items():
            for outcome in outcomes:
                yield _Line(group, {**shared, "outcome": outcome}, {metric: 1})
    for metric, kind in PUBLISHED.items():
        yield _Line("PublisherLogGroup", {"outcome": "published", "detail_type": kind}, {metric: 1})
    for metric, field in RECONCILIATION_COUNTS.items():
        yield _Line("ReconcilerLogGroup", {"run": "hourly", field: 2}, {metric: 2})
    # A run counts it; this is for a query.
    yield _Line("ReconcilerLogGroup", {"run": "hourly", "outcome": "buyer_lost"}, {})


def _write_lines(subject: Subject) -> None:
    logs = subject.client("logs")
    now = int(subject.clock.time() * 1000)
    written: dict[str, list[str]] = {}
    for line in lines():
        written.setdefault(line.group, []).append(json.dumps(line.content))
    for group, messages in written.items():
        name = subject.main[group]
        logs.create_log_stream(logGroupName=name, logStreamName=_STREAM)
        logs.put_log_events(
            logGroupName=name,
            logStreamName=_STREAM,
            logEvents=[{"timestamp": now, "message": message} for message in messages],
        )


def _metric_filters(subject: Subject, deadline: Deadline) -> Result:
    start = subject.clock.time()
    _write_lines(subject)
    wanted: Counter[str] = Counter()
    for line in lines():
        wanted.update(line.metrics)
    namespaces = {
        transformation["metricName"]: transformation["metricNamespace"]
        for group in dict.fromkeys(line.group for line in lines())
        for transformation in subject.client("logs")
        .get_paginator("describe_metric_filters")
        .paginate(logGroupName=subject.main[group])
        .search("metricFilters[].metricTransformations[]")
    }
    wrong = [f"no filter for {name}" for name in wanted if name not in namespaces]
    wrong += [f"no line for {name}" for name in namespaces if name not in wanted]

    def differing() -> list[str]:
        # Nothing else has been logged yet, so the sums are exact.
        sums = {name: subject.sum_of(namespaces[name], name, start) for name in wanted if name in namespaces}
        return [f"{name} is {seen:g}, not {wanted[name]:g}" for name, seen in sums.items() if seen != wanted[name]]

    deadline.until(differing, lambda differing: not differing, "; ".join)
    return compared(wrong, f"{len(wanted)} metrics, each the sum of what was written")


def _queries(subject: Subject) -> Iterator[tuple[str, list[str], str]]:
    """Return each query as it is saved: its name, its log groups, and itself."""
    saved = subject.client("logs").describe_query_definitions(
        queryDefinitionNamePrefix=f"MarketplaceRegistration/{subject.name}"
    )
    for query in saved["queryDefinitions"]:
        yield "saved query", query["logGroupNames"], query["queryString"]
    dashboard = subject.client("cloudwatch").get_dashboard(DashboardName=subject.main["DashboardName"])
    for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
        if widget["type"] == "log":
            group, query = _SOURCES.fullmatch(widget["properties"]["query"]).groups()  # type: ignore[union-attr] # as the CDK writes it
            yield widget["properties"]["title"], [group], query


def _rows(subject: Subject, groups: list[str], query: str, deadline: Deadline) -> int:
    """Run a query until it finds something: what was written can be found some time later."""
    logs = subject.client("logs")
    now = int(subject.clock.time())

    def results() -> dict[str, Any]:
        started = logs.start_query(logGroupNames=groups, startTime=now - _HOUR, endTime=now + _HOUR, queryString=query)
        ended: dict[str, Any] = deadline.until(
            lambda: logs.get_query_results(queryId=started["queryId"]),
            lambda results: results["status"] in _ENDED,
            lambda results: f"{results['status']}: {query}",
        )
        return ended

    def told(results: dict[str, Any]) -> str:
        return f"{results['status']}, {len(results['results'])} rows: {query}"

    return len(deadline.until(results, lambda results: bool(results["results"]), told)["results"])


def _insights_queries(subject: Subject, deadline: Deadline) -> Result:
    seen = [f"{title}: {_rows(subject, groups, query, deadline)} rows" for title, groups, query in _queries(subject)]
    return Result(seen=", ".join(seen), holds=len(seen) == _QUERIES)


_QUERIES = 8
"""Both kinds of lost buyers, saved and on the dashboard; the last failures of three functions; missed events."""

FIRST = (
    Check(
        name="metric-filters",
        expected="one log line of each outcome: every metric is the exact sum of what was written",
        seconds=600,
        run=_metric_filters,
        left_out=local("evaluates no metric filters"),
    ),
)

CHECKS = (
    Check(
        name="insights-queries",
        expected=f"the {_QUERIES} queries of CloudWatch Logs Insights run as they are saved, and find those lines",
        seconds=600,
        run=_insights_queries,
        left_out=local("has no CloudWatch Logs Insights"),
    ),
)
