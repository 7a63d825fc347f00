"""The tables in docs/cost.md: the monthly cost of one instance, and of its subscriptions."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from typing import NamedTuple

from constructs_lib.registration._outcomes import COUNTS, TIMES
from constructs_lib.registration._resolver import MEMORY_MIB
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.subscriptions._functions import MEMORY_MIB as SUBSCRIPTIONS_MEMORY_MIB
from constructs_lib.subscriptions._outcomes import EVENTS as EVENT_METRICS
from constructs_lib.subscriptions._outcomes import PUBLISHED, RECONCILED, RECONCILIATION_COUNTS, UNPUBLISHED
from constructs_lib.subscriptions._signals import SIGNALS as SUBSCRIPTION_SIGNALS

HOURS = 730
"""Hours in a month, by AWS's convention."""

# List prices for us-east-1 in US dollars, without any free tier.
PER_API_REQUEST = 1.00 / 1e6
PER_INVOCATION = 0.20 / 1e6
PER_GB_SECOND = 0.0000133334
PER_WRITE_UNIT = 0.625 / 1e6
PER_READ_UNIT = 0.125 / 1e6
PER_TABLE_GB = 0.25
PER_RECOVERY_GB = 0.20
PER_LOGGED_GB = 0.50
PER_KEPT_LOG_GB = 0.03
PER_METRIC = 0.30
PER_ALARM = 0.10
PER_QUEUE_REQUEST = 0.40 / 1e6
PER_PUBLISHED_EVENT = 1.00 / 1e6

# The default of log_retention, and what the page says about disabling alarms; tests compare both with the template.
ALARMS_LEFT_OUT = 12
LOG_RETENTION_MONTHS = 12

ALARMS = len(SIGNALS)
METRICS = len(COUNTS) + len(TIMES) + 3  # CodesUnclaimed; ApiThrottled and ClaimsDenied, from the access log

# Usage per registration; where it varies, the more expensive case.
REQUESTS = 2  # POST /register, POST /claim
COLD_SECONDS = 0.9  # every registration is a cold start, with the INIT time billed
WARM_SECONDS = 0.05  # the claim reuses the execution environment of its registration
WRITE_UNITS = 4  # claim record 1, registration up to 2 KB 2, claim record updated 1
READ_UNITS = 2  # claim record and registration, strongly consistent
ITEM_BYTES = 700  # attributes with their names, plus DynamoDB's 100 bytes per item
LINE_BYTES = 700  # the resolver's log line per request
PLATFORM_BYTES = 900  # the runtime's own log lines per request
ACCESS_BYTES = 400  # the access log line per request
METRICS_ALWAYS = 5  # Registrations, Claims, CodesUnclaimed, MarketplaceTime, StoreTime
FAILURES = 0.05  # share of registrations that a failure metric counts, each in a different hour

SUBSCRIPTION_ALARMS = len(SUBSCRIPTION_SIGNALS)
RECONCILIATION_METRICS = len(RECONCILED) + len(RECONCILIATION_COUNTS)
SUBSCRIPTION_METRICS = len(EVENT_METRICS) + len(UNPUBLISHED) + len(PUBLISHED) + RECONCILIATION_METRICS

# Usage per subscription that begins and ends; where it varies, the more expensive case.
EVENTS = 4  # Created, License Updated, Ended, License Deprovisioned
CHANGES = 7  # of items: the registration, terms and status, status and entitlements, status, status
PUBLICATIONS = 3  # Buyer Registered, Subscription Ready, Subscription Ended
BATCH_SECONDS = 3  # each event and each change is a cold start alone, on less than a third of a CPU
SUBSCRIPTION_WRITE_UNITS = 12  # of items up to 2 KB, without the registration's own
SUBSCRIPTION_READ_UNITS = 7  # a buyer's partition at each change
EVENT_REQUESTS = 3  # sent, received, deleted
BATCH_BYTES = 1_500  # a line and the runtime's own lines
SUBSCRIPTION_METRICS_ALWAYS = 5
# Lambda polls an idle queue with five requests that wait for 20 seconds.
POLLS = 5 * 3 * 60 * HOURS

# Usage of the reconciler: of a run, of each agreement that begins or ends, and of the table that each run scans.
RUN_SECONDS = 5
AGREEMENTS = 2  # begun and ended
AGREEMENT_RUNS = 26  # that compare an agreement, as each looks back a day
AGREEMENT_SECONDS = 0.3  # a few calls, paced below the limits
SUBSCRIPTION_ITEMS = 2  # the license with its registration, and the agreement
SCAN_SECONDS_PER_GB = 100
READ_BYTES = 8192  # of a scan, per read request unit
RECONCILER_METRICS_ALWAYS = 3

VOLUMES = (0, 10, 1_000, 100_000)
"""Registrations per month, each by a new buyer, for a year."""

_GB = 1e9
_MONTHS = 12
_CENT = 0.01
_LOG_BYTES = REQUESTS * (LINE_BYTES + PLATFORM_BYTES + ACCESS_BYTES)
_GB_SECONDS = MEMORY_MIB / 1024 * (COLD_SECONDS + WARM_SECONDS)


class Line(NamedTuple):
    """The monthly cost of one resource."""

    resource: str
    arithmetic: str
    costs: tuple[float, ...]


def metric_hours(registrations: int) -> float:
    """Return the hours per month with data, summed over all metrics."""
    always = METRICS_ALWAYS * min(registrations, HOURS)
    return always + min(FAILURES * registrations, (METRICS - METRICS_ALWAYS) * HOURS)


def lines() -> list[Line]:
    """Return the cost by resource, in the order of the table."""

    def each(cost: float) -> tuple[float, ...]:
        return tuple(cost * n for n in VOLUMES)

    return [
        Line("alarms", f"{ALARMS} x ${PER_ALARM:.2f}", tuple(ALARMS * PER_ALARM for _ in VOLUMES)),
        Line(
            "custom metrics",
            f"hours with data ÷ {HOURS} x ${PER_METRIC:.2f}; {METRICS_ALWAYS} x min(n, {HOURS}) hours, and "
            f"{FAILURES} x n for failures",
            tuple(metric_hours(n) / HOURS * PER_METRIC for n in VOLUMES),
        ),
        Line(
            "logs, ingestion",
            f"n x {_LOG_BYTES:,} bytes x ${PER_LOGGED_GB:.2f}/GB",
            each(_LOG_BYTES / _GB * PER_LOGGED_GB),
        ),
        Line(
            "logs, stored for a year",
            f"{LOG_RETENTION_MONTHS} x n x {_LOG_BYTES:,} bytes x ${PER_KEPT_LOG_GB:.2f}/GB",
            each(LOG_RETENTION_MONTHS * _LOG_BYTES / _GB * PER_KEPT_LOG_GB),
        ),
        Line(
            "DynamoDB, requests",
            f"n x ({WRITE_UNITS} x ${PER_WRITE_UNIT * 1e6:.3f} + {READ_UNITS} x ${PER_READ_UNIT * 1e6:.3f}) ÷ 1M",
            each(WRITE_UNITS * PER_WRITE_UNIT + READ_UNITS * PER_READ_UNIT),
        ),
        Line(
            "DynamoDB, storage and point-in-time recovery",
            f"{_MONTHS} x n x {ITEM_BYTES} bytes x (${PER_TABLE_GB:.2f} + ${PER_RECOVERY_GB:.2f})/GB",
            each(_MONTHS * ITEM_BYTES / _GB * (PER_TABLE_GB + PER_RECOVERY_GB)),
        ),
        Line(
            "Lambda",
            f"n x ({_GB_SECONDS:.2f} GB-s x ${PER_GB_SECOND:.10f} + {REQUESTS} x ${PER_INVOCATION * 1e6:.2f} ÷ 1M)",
            each(_GB_SECONDS * PER_GB_SECOND + REQUESTS * PER_INVOCATION),
        ),
        Line(
            "HTTP API",
            f"n x {REQUESTS} x ${PER_API_REQUEST * 1e6:.2f} ÷ 1M",
            each(REQUESTS * PER_API_REQUEST),
        ),
    ]


def scanned_bytes(subscriptions: int) -> int:
    """Return the bytes of a year's items, which each run of the reconciler scans."""
    return _MONTHS * subscriptions * SUBSCRIPTION_ITEMS * ITEM_BYTES


def reconciler_seconds(subscriptions: int) -> float:
    """Return the seconds per month of the reconciler's runs."""
    runs = HOURS * (RUN_SECONDS + SCAN_SECONDS_PER_GB * scanned_bytes(subscriptions) / _GB)
    return runs + subscriptions * AGREEMENTS * AGREEMENT_RUNS * AGREEMENT_SECONDS


def subscription_lines() -> list[Line]:
    """Return the cost of subscriptions by resource, in the order of the table."""

    def each(cost: float) -> tuple[float, ...]:
        return tuple(cost * n for n in VOLUMES)

    batches = EVENTS + CHANGES
    gb_seconds = batches * BATCH_SECONDS * SUBSCRIPTIONS_MEMORY_MIB / 1024
    kept = LOG_RETENTION_MONTHS * PER_KEPT_LOG_GB
    units = SUBSCRIPTION_WRITE_UNITS * PER_WRITE_UNIT + SUBSCRIPTION_READ_UNITS * PER_READ_UNIT

    def hours(n: int) -> float:
        rare = (SUBSCRIPTION_METRICS - SUBSCRIPTION_METRICS_ALWAYS - RECONCILER_METRICS_ALWAYS) * HOURS
        return SUBSCRIPTION_METRICS_ALWAYS * min(n, HOURS) + min(FAILURES * n, rare)

    return [
        Line(
            "alarms",
            f"{SUBSCRIPTION_ALARMS} x ${PER_ALARM:.2f}",
            tuple(SUBSCRIPTION_ALARMS * PER_ALARM for _ in VOLUMES),
        ),
        Line(
            "custom metrics",
            f"hours with data ÷ {HOURS} x ${PER_METRIC:.2f}; {SUBSCRIPTION_METRICS_ALWAYS} x min(n, {HOURS}) hours, "
            f"and {FAILURES} x n for failures",
            tuple(hours(n) / HOURS * PER_METRIC for n in VOLUMES),
        ),
        Line(
            "SQS",
            f"({POLLS:,} polls + n x {EVENTS} x {EVENT_REQUESTS}) x ${PER_QUEUE_REQUEST * 1e6:.2f} ÷ 1M",
            tuple((POLLS + n * EVENTS * EVENT_REQUESTS) * PER_QUEUE_REQUEST for n in VOLUMES),
        ),
        Line(
            "Lambda",
            f"n x ({gb_seconds:.2f} GB-s x ${PER_GB_SECOND:.10f} + {batches} x ${PER_INVOCATION * 1e6:.2f} ÷ 1M)",
            each(gb_seconds * PER_GB_SECOND + batches * PER_INVOCATION),
        ),
        Line(
            "DynamoDB, requests",
            f"n x ({SUBSCRIPTION_WRITE_UNITS} x ${PER_WRITE_UNIT * 1e6:.3f} + {SUBSCRIPTION_READ_UNITS} x "
            f"${PER_READ_UNIT * 1e6:.3f}) ÷ 1M",
            each(units),
        ),
        Line(
            "logs, ingestion and a year of storage",
            f"({HOURS} + n x {batches}) x {BATCH_BYTES:,} bytes x (${PER_LOGGED_GB:.2f} + {LOG_RETENTION_MONTHS} x "
            f"${PER_KEPT_LOG_GB:.2f})/GB",
            tuple((HOURS + n * batches) * BATCH_BYTES / _GB * (PER_LOGGED_GB + kept) for n in VOLUMES),
        ),
        Line(
            "EventBridge",
            f"n x {PUBLICATIONS} x ${PER_PUBLISHED_EVENT * 1e6:.2f} ÷ 1M",
            each(PUBLICATIONS * PER_PUBLISHED_EVENT),
        ),
        Line(
            "reconciler, custom metrics",
            f"{RECONCILER_METRICS_ALWAYS} x ${PER_METRIC:.2f}",
            tuple(RECONCILER_METRICS_ALWAYS * PER_METRIC for _ in VOLUMES),
        ),
        Line(
            "reconciler, Lambda",
            f"({HOURS} x ({RUN_SECONDS} s + {SCAN_SECONDS_PER_GB} s/GB scanned) + n x {AGREEMENTS} x "
            f"{AGREEMENT_RUNS} x {AGREEMENT_SECONDS} s) x {SUBSCRIPTIONS_MEMORY_MIB / 1024} GB x "
            f"${PER_GB_SECOND:.10f} + {HOURS} x ${PER_INVOCATION * 1e6:.2f} ÷ 1M",
            tuple(
                reconciler_seconds(n) * SUBSCRIPTIONS_MEMORY_MIB / 1024 * PER_GB_SECOND + HOURS * PER_INVOCATION
                for n in VOLUMES
            ),
        ),
        Line(
            "reconciler, DynamoDB",
            f"({HOURS} x bytes scanned ÷ {READ_BYTES:,} + n x {AGREEMENTS} x {AGREEMENT_RUNS}) x "
            f"${PER_READ_UNIT * 1e6:.3f} ÷ 1M; {_MONTHS} x n x {SUBSCRIPTION_ITEMS} x {ITEM_BYTES} bytes are scanned",
            tuple(
                (HOURS * scanned_bytes(n) / READ_BYTES + n * AGREEMENTS * AGREEMENT_RUNS) * PER_READ_UNIT
                for n in VOLUMES
            ),
        ),
    ]


def _dollars(cost: float) -> str:
    if 0 < cost < _CENT:
        return "< $0.01"
    return f"${cost:.2f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Return the table of one instance in Markdown."""
    totals = _totals(lines())
    less = [total - ALARMS_LEFT_OUT * PER_ALARM for total in totals]
    rows = [
        *_rows("registrations", lines()),
        _row(
            f"without {ALARMS_LEFT_OUT} alarms, see below",
            f"- {ALARMS_LEFT_OUT} x ${PER_ALARM:.2f}",
            *map(_dollars, less),
        ),
    ]
    return "".join(f"{row}\n" for row in rows)


def subscription_table() -> str:
    """Return the table of subscriptions in Markdown."""
    return "".join(f"{row}\n" for row in _rows("subscriptions", subscription_lines()))


def _totals(every: list[Line]) -> list[float]:
    return [sum(line.costs[i] for line in every) for i in range(len(VOLUMES))]


def _rows(what: str, every: list[Line]) -> list[str]:
    return [
        _row("resource", f"calculation, n {what} per month", "idle", *(f"n = {n:,}" for n in VOLUMES[1:])),
        _row("---", "---", *("---:" for _ in VOLUMES)),
        *(_row(line.resource, line.arithmetic, *map(_dollars, line.costs)) for line in every),
        _row("**total per month**", "", *(f"**{_dollars(total)}**" for total in _totals(every))),
    ]
