"""Prints the tables of docs/cost.md: what one instance costs a month."""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import sys
from typing import NamedTuple

HOURS = 730
"""In a month, as AWS counts them."""

# List prices of us-east-1 in US dollars, without any free tier.
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

# What the template has; the tests compare.
ALARMS = 20
ALARMS_LEFT_OUT = 10
METRICS = 13
MEMORY_MB = 1769
LOG_RETENTION_MONTHS = 12

# What one registration uses. Where it varies, the dearer case.
REQUESTS = 2  # POST /register, POST /claim
COLD_SECONDS = 0.9  # every registration a cold start, start-up billed
WARM_SECONDS = 0.05  # the claim finds the environment of its registration
WRITE_UNITS = 4  # claim 1, registration up to 2 KB 2, claim taken 1
READ_UNITS = 2  # claim and registration, both consistent
ITEM_BYTES = 700  # the attributes with their names, and DynamoDB's 100 bytes an item
LINE_BYTES = 700  # the resolver's line of a request
PLATFORM_BYTES = 900  # the runtime's own lines of a request
ACCESS_BYTES = 400  # the API's line of a request
METRICS_ALWAYS = 4  # Registrations, Claims, MarketplaceTime, StoreTime
FAILURES = 0.05  # of requests that a failure's metric counts, each in an hour of its own

VOLUMES = (0, 10, 1_000, 100_000)
"""Registrations a month, each of a new buyer, for a year."""

_GB = 1e9
_MONTHS = 12
_CENT = 0.01
_LOG_BYTES = REQUESTS * (LINE_BYTES + PLATFORM_BYTES + ACCESS_BYTES)
_GB_SECONDS = MEMORY_MB / 1024 * (COLD_SECONDS + WARM_SECONDS)


class Line(NamedTuple):
    """What one resource costs."""

    resource: str
    arithmetic: str
    costs: tuple[float, ...]


def metric_hours(registrations: int) -> float:
    """Return for how many hours a month's metrics have data, summed over the metrics."""
    always = METRICS_ALWAYS * min(registrations, HOURS)
    return always + min(FAILURES * registrations, (METRICS - METRICS_ALWAYS) * HOURS)


def lines() -> list[Line]:
    """Return the cost by resource, the greatest of an idle instance first."""

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
            "logs, written",
            f"n x {_LOG_BYTES:,} bytes x ${PER_LOGGED_GB:.2f}/GB",
            each(_LOG_BYTES / _GB * PER_LOGGED_GB),
        ),
        Line(
            "logs, kept for a year",
            f"{LOG_RETENTION_MONTHS} x n x {_LOG_BYTES:,} bytes x ${PER_KEPT_LOG_GB:.2f}/GB",
            each(LOG_RETENTION_MONTHS * _LOG_BYTES / _GB * PER_KEPT_LOG_GB),
        ),
        Line(
            "DynamoDB, requests",
            f"n x ({WRITE_UNITS} x ${PER_WRITE_UNIT * 1e6:.3f} + {READ_UNITS} x ${PER_READ_UNIT * 1e6:.3f}) ÷ 1M",
            each(WRITE_UNITS * PER_WRITE_UNIT + READ_UNITS * PER_READ_UNIT),
        ),
        Line(
            "DynamoDB, storage and recovery",
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
        _row("resource", "arithmetic, n registrations a month", "idle", *(f"n = {n:,}" for n in VOLUMES[1:])),
        _row("---", "---", *("---:" for _ in VOLUMES)),
        *(_row(line.resource, line.arithmetic, *map(_dollars, line.costs)) for line in every),
        _row("**a month**", "", *(f"**{_dollars(total)}**" for total in totals)),
        _row(
            f"without {ALARMS_LEFT_OUT} alarms, as below",
            f"- {ALARMS_LEFT_OUT} x ${PER_ALARM:.2f}",
            *map(_dollars, less),
        ),
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
