"""The dashboards' pictures in docs: the synthesized dashboards with the data of an invented day."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

import json
import math
import random
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions
from constructs_lib.registration.registration_dashboard import RegistrationDashboard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CELL, GAP, TITLE = 50, 5, 28
FROM_HOUR = 15
STEP_SECONDS = 300
STEPS = 24 * 3600 // STEP_SECONDS
STEPS_OF_AN_HOUR = 3600 // STEP_SECONDS

# The day: buyers come during office hours, and Marketplace has not responded for 20 minutes.
OUTAGE = range(STEPS - 4, STEPS)
A_DAY = {
    "Registrations": 64,
    "TokensRefused": 1,
    "BadRequests": 1,
    "ProductsRefused": 1,
    "ClaimsRefused": 2,
    "LicensesUpdated": 71,
    "LicensesDeprovisioned": 3,
    "AgreementsRecorded": 74,
    "EventsWithoutEffect": 9,
    "EventsUnknown": 1,
    "EventsNotStored": 1,
    "EntitlementsUnavailable": 1,
    "SubscriptionsReady": 63,
    "SubscriptionsChanged": 6,
    "SubscriptionsEnded": 3,
}
IN_THE_OUTAGE = {"MarketplaceUnavailable": (1, 3, 0, 3), "5xx": (1, 3, 0, 3)}
FIRING = {"MarketplaceUnavailable", "ApiServerErrors", "ResolverSlow"}
MILLISECONDS = {
    "IteratorAge": {"Maximum": 700},
    # No milliseconds, but drawn like them.
    "ApproximateNumberOfMessagesVisible": {"Maximum": 0},
    "ApproximateAgeOfOldestMessage": {"Maximum": 3},
    "BuyersLost": {"Maximum": 0},
    "ProductsUnknown": {"Maximum": 0},
    "MarketplaceTime": {"p50": 190, "p90": 310, "p99": 620},
    "StoreTime": {"p50": 9, "p90": 16, "p99": 41},
    "Duration": {"p50": 240, "p90": 980, "p99": 1900},
}
IN_THE_OUTAGE_MILLISECONDS = {"MarketplaceTime": 9500, "Duration": 9900}


def _rows() -> Iterator[dict[str, str]]:
    failures = [
        *((time, "marketplace_unavailable", "ReadTimeoutError", "503") for time in ("14:58", "14:57", "14:55")),
        *(
            (time, "marketplace_unavailable", "ReadTimeoutError", "503")
            for time in ("14:49", "14:46", "14:45", "14:41")
        ),
        ("13:02", "token_expired", "ExpiredTokenException", "410"),
        ("11:47", "product_refused", "", "403"),
        ("10:20", "bad_request", "", "415"),
    ]
    for at, (time, outcome, reason, status) in enumerate(failures, start=3):
        request = f"aQ{at * 7919 % 46656:04x}HoAMESLQ="
        account = "111122223333" if outcome == "product_refused" else ""
        yield {
            "@timestamp": f"{time}:{at * 7 % 60:02}",
            "last_seen": f"{time}:{at * 7 % 60:02}",
            "request": "POST /register",
            "failure": outcome,
            "last_outcome": outcome,
            "reason": reason,
            "account": account,
            "buyer": account or request,
            "product": account and "c290sds6en72spp3ph4",
            "attempts": "1",
            "status": status,
            "api_request_id": request,
            "last_request": request,
        }


def _failed_events() -> Iterator[dict[str, str]]:
    failures = [
        ("14:02", "marketplace_unavailable", "ReadTimeoutError", "License Updated - Manufacturer"),
        ("09:31", "store_unavailable", "ConnectTimeoutError", "Purchase Agreement Created - Proposer"),
    ]
    for at, (time, outcome, reason, detail_type) in enumerate(failures, start=3):
        yield {
            "@timestamp": f"{time}:{at * 7 % 60:02}",
            "failure": outcome,
            "reason": reason,
            "detail_type": detail_type,
            "account": "111122223333",
            "message_id": f"{at * 7919 % 65536:04x}b2c1",
        }


PALETTE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
RED, GREEN, INK, FAINT = "#d62728", "#1d8102", "#16191f", "#687078"


def dashboard_body() -> dict[str, Any]:
    """Return the synthesized body of the dashboard, with logical ids in place of physical ones."""
    stack = Stack(App(), "Seller")
    registration = MarketplaceRegistration(stack, "Registration", products={"code": "https://app.example.com"})
    RegistrationDashboard(stack, "Dashboard", registration=registration)
    return _body(stack)


def subscriptions_body() -> dict[str, Any]:
    """Return the same of what subscriptions add to a dashboard."""
    stack = Stack(App(), "Seller")
    registration = MarketplaceRegistration(stack, "Registration", products={"code": "https://app.example.com"})
    subscriptions = MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)
    subscriptions.add_to_dashboard(cloudwatch.Dashboard(stack, "Dashboard"))
    return _body(stack)


def _body(stack: Stack) -> dict[str, Any]:
    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    parts = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    body: dict[str, Any] = json.loads("".join(part if isinstance(part, str) else _name(part) for part in parts))
    return body


def _name(reference: Mapping[str, Any]) -> str:
    (target,) = reference.values()
    return target if isinstance(target, str) else str(target[0])


def draw(body: Mapping[str, Any]) -> str:
    """Return the picture; the same body always gives the same one."""
    widgets = body["widgets"]
    height = max(widget["y"] + widget["height"] for widget in widgets) * CELL
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * CELL} {height}" font-family="Arial, sans-serif">',
        f'<rect width="{24 * CELL}" height="{height}" fill="#eaeded"/>',
    ]
    for widget in widgets:
        width, tall = widget["width"] * CELL - 2 * GAP, widget["height"] * CELL - 2 * GAP
        x, y = widget["x"] * CELL + GAP, widget["y"] * CELL + GAP
        lines += [
            f'<g transform="translate({x} {y})">',
            f'<rect width="{width}" height="{tall}" rx="3" fill="#fff" stroke="#d5dbdb"/>',
            _text(12, 19, widget["properties"]["title"], weight="bold", size=13),
            *_inside(widget, width, tall),
            "</g>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def _inside(widget: Mapping[str, Any], width: int, height: int) -> Iterator[str]:
    properties = widget["properties"]
    if widget["type"] == "alarm":
        return _alarms(properties["alarms"], width, height)
    if widget["type"] == "log":
        return _table(properties["query"], width)
    if properties["view"] == "singleValue":
        return _numbers(properties["metrics"], width)
    return _graph(properties, width, height)


def _alarms(arns: Sequence[str], width: int, height: int) -> Iterator[str]:
    columns = 5
    rows = math.ceil(len(arns) / columns)
    across, down = (width - 16) / columns, (height - TITLE - 6) / rows
    names = [re.sub(r"^.*?Alarms|[0-9A-F]{8}$", "", arn) for arn in arns]
    for at, name in enumerate(sorted(names, key=lambda name: name not in FIRING)):
        x, y = 10 + at % columns * across, TITLE + at // columns * down
        fill, ink, state = (RED, "#fff", "In alarm") if name in FIRING else ("#eef6ee", GREEN, "OK")
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{across - 4:.1f}" height="{down - 4:.1f}" rx="3" fill="{fill}"/>'
        yield _text(x + 8, y + down / 2 + 2, name, fill=ink)
        yield _text(x + across - 12, y + down / 2 + 2, state, fill=ink, anchor="end")


def _numbers(metrics: Sequence[Sequence[Any]], width: int) -> Iterator[str]:
    for at, metric in enumerate(metrics):
        x = 14 + at * (width - 16) / len(metrics)
        yield _text(x, 68, str(sum(_counts(metric[1]))), size=30)
        yield _text(x, 92, metric[-1]["label"], fill=FAINT, size=12)
        yield f'<rect x="{x:.1f}" y="104" width="10" height="4" fill="{PALETTE[at]}"/>'


def _table(query: str, width: int) -> Iterator[str]:
    # A query shows the fields of `display`, otherwise all `fields`, under the names after `as`.
    shown = re.findall(r"\| display (.*)", query) or re.findall(r"\| fields (.*)", query)
    columns = [field.split(" as ")[-1] for field in re.split(r", *(?![^(]*\))", ", ".join(shown))]
    rows = list(_rows())
    if {"detail_type", "agreement"} & {*columns}:
        # On this day, nothing was left unpublished, no buyer was lost and no event missed.
        rows = list(_failed_events()) if "message_id" in columns else []
    widths = [max(len(text) for text in (column, *(row[column] for row in rows))) + 2 for column in columns]
    x = 12.0
    yield f'<rect x="8" y="{TITLE + 4}" width="{width - 16}" height="22" fill="#f2f3f3"/>'
    for column, characters in zip(columns, widths, strict=True):
        yield _text(x, TITLE + 19, column, weight="bold", size=9)
        for at, row in enumerate(rows):
            yield _text(x, TITLE + 44 + at * 22, row[column], size=9)
        x += characters * (width - 20) / sum(widths)


def _graph(properties: Mapping[str, Any], width: int, height: int) -> Iterator[str]:
    metrics = [(metric[1], metric[-1]) for metric in properties["metrics"]]
    thresholds = properties.get("annotations", {}).get("horizontal", [])
    stacked = properties["stacked"]
    every = [_series(name, options) for name, options in metrics]
    if stacked:
        every = [[sum(above) for above in zip(*every[: at + 1], strict=True)] for at in range(len(every))]
    top = _round_up(
        1.15 * max([1.0, *(line["value"] for line in thresholds), *(v for values in every for v in values)])
    )
    left, right, above, below = 44, width - 12, TITLE + 18, height - 48

    def up(value: float) -> float:
        return below - (below - above) * value / top

    for part in range(5):
        value = top * part / 4
        yield f'<path d="M{left} {up(value):.1f}H{right}" stroke="#eaeded"/>'
        yield _text(left - 6, up(value) + 4, f"{value:,g}", FAINT, anchor="end", size=9)
        hour = (FROM_HOUR + 6 * part) % 24
        anchor = {0: "start", 4: "end"}.get(part, "middle")
        yield _text(left + (right - left) * part / 4, below + 13, f"{hour:02}:00", FAINT, anchor=anchor, size=9)
    unit = properties.get("yAxis", {}).get("left", {}).get("label")
    if unit:
        yield _text(left - 6, above - 6, unit, FAINT, anchor="end", size=9)
    colors = [options.get("color", PALETTE[at % len(PALETTE)]) for at, (_, options) in enumerate(metrics)]
    for color, values in reversed(list(zip(colors, every, strict=True))):
        points = " ".join(
            f"{left + (right - left) * at / (len(values) - 1):.1f},{up(value):.1f}"
            for at, value in enumerate(values)
            if {value} != set(values[max(at - 1, 0) : at + 2]) or at in {0, len(values) - 1}
        )
        if stacked:
            yield f'<polygon points="{left},{below} {points} {right},{below}" fill="{color}"/>'
        else:
            yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>'
    for line in thresholds:
        yield f'<path d="M{left} {up(line["value"]):.1f}H{right}" stroke="{line["color"]}" stroke-dasharray="5 3"/>'
        yield _text(left + 4, up(line["value"]) - 4, line["label"], line["color"], size=9)
    x, y = float(left), height - 28
    for color, (_, options) in zip(colors, metrics, strict=True):
        taken = 24 + 4.7 * len(options["label"])
        if x + taken > width:
            x, y = float(left), y + 14
        yield f'<rect x="{x:.1f}" y="{y}" width="9" height="9" fill="{color}"/>'
        yield _text(x + 13, y + 8, options["label"], size=9)
        x += taken


def _series(name: str, options: Mapping[str, Any]) -> list[float]:
    if options["stat"] != "Sum":
        return list(_times(name, options["stat"]))
    wide = options.get("period", STEP_SECONDS) // STEP_SECONDS
    counts = _counts(name)
    values = [float(sum(counts[at : at + wide])) for at in range(0, STEPS, wide)]
    # A period of a day or longer is a level line.
    return values if len(values) > 1 else values * 2


def _counts(name: str) -> list[int]:
    """Return a count for every five minutes of the day, 0 for a metric without invented data."""
    if name == "Claims":
        # All buyers but two, who close the page, claim within the same five minutes.
        lost = iter((True, True))
        return [count - (count > 1 and next(lost, False)) for count in _counts("Registrations")]
    if name == "CodesUnclaimed":
        return [issued - claimed for issued, claimed in zip(_counts("Registrations"), _counts("Claims"), strict=True)]
    if name == "ReconciliationsFinished":
        return [int(at % STEPS_OF_AN_HOUR == 0) for at in range(STEPS)]
    counts = [0] * STEPS
    dice = random.Random(name)  # noqa: S311
    for _ in range(A_DAY.get(name, 0)):
        # Normally distributed around 11 o'clock.
        at = int((dice.gauss(11, 3.2) - FROM_HOUR) % 24 * STEPS / 24)
        counts[at - 12 if at >= OUTAGE.start else at] += 1
    for at, count in zip(OUTAGE, IN_THE_OUTAGE.get(name, ()), strict=False):
        counts[at] += count
    return counts


def _times(name: str, percentile: str) -> Iterator[float]:
    usual = MILLISECONDS[name][percentile]
    dice = random.Random(name + percentile)  # noqa: S311
    for _ in range(23):
        yield usual * dice.lognormvariate(0, 0.2)
    yield usual if percentile == "p50" else max(usual, IN_THE_OUTAGE_MILLISECONDS.get(name, 0))


def _round_up(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * factor for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * factor >= value)


def _text(
    x: float, y: float, text: str, fill: str = INK, *, size: int = 11, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" font-weight="{weight}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )
