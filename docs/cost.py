"""The table in docs/cost.md: the monthly cost of one instance."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from typing import NamedTuple

from constructs_lib.registration._outcomes import COUNTS, TIMES
from constructs_lib.registration._resolver import MEMORY_MIB
from constructs_lib.registration._signals import SIGNALS

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


def _dollars(cost: float) -> str:
    if 0 < cost < _CENT:
        return "< $0.01"
    return f"${cost:.2f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Return the table in Markdown."""
    every = lines()
    totals = [sum(line.costs[i] for line in every) for i in range(len(VOLUMES))]
    less = [total - ALARMS_LEFT_OUT * PER_ALARM for total in totals]
    rows = [
        _row("resource", "calculation, n registrations per month", "idle", *(f"n = {n:,}" for n in VOLUMES[1:])),
        _row("---", "---", *("---:" for _ in VOLUMES)),
        *(_row(line.resource, line.arithmetic, *map(_dollars, line.costs)) for line in every),
        _row("**total per month**", "", *(f"**{_dollars(total)}**" for total in totals)),
        _row(
            f"without {ALARMS_LEFT_OUT} alarms, see below",
            f"- {ALARMS_LEFT_OUT} x ${PER_ALARM:.2f}",
            *map(_dollars, less),
        ),
    ]
    return "".join(f"{row}\n" for row in rows)
