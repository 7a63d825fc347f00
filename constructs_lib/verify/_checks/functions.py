"""Measurements of the functions: the runtime's versions, and the time of cold and warm starts."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING, Any

from constructs_lib.verify._check import Check, Result, local
from constructs_lib.verify._checks.requests import register

if TYPE_CHECKING:
    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

_COLD, _WARM = 5, 10


def _versions(subject: Subject, _deadline: Deadline) -> Result:
    lambda_ = subject.client("lambda")
    payload = lambda_.invoke(FunctionName=subject.main["VersionsName"])["Payload"].read()
    versions: dict[str, str] = json.loads(payload)
    limit = lambda_.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    shown = [f"{name} {version}" for name, version in versions.items()]
    return Result(seen=", ".join([*shown, f"{limit} concurrent executions in this account"]), holds=None)


def _cold_starts(subject: Subject, deadline: Deadline) -> Result:
    return Result(
        seen="; ".join(_measured(_requests(subject, stack, deadline)) for stack in subject.outputs), holds=None
    )


def _requests(subject: Subject, stack: str, deadline: Deadline) -> list[dict[str, Any]]:
    """Send requests to a resolver, and return what Lambda reports of each."""
    start = subject.clock.time()
    # Those at the same time need an execution environment each; those after them find it.
    with ThreadPoolExecutor(_COLD) as threads:
        list(threads.map(lambda _: register(subject, stack), range(_COLD)))
    for _ in range(_WARM):
        register(subject, stack)
    return deadline.until(
        lambda: _reports(subject, subject.outputs[stack]["LogGroup"], start),
        lambda metrics: len(metrics) >= _COLD + _WARM and 0 < len(_first(metrics)) < len(metrics),
        lambda metrics: f"{stack}: {len(metrics)} reports, {len(_first(metrics))} of them cold",
    )


def _reports(subject: Subject, log_group: str, since: float) -> list[dict[str, Any]]:
    lines = subject.lines(log_group, '{ $.type = "platform.report" }', since)
    return [line["record"]["metrics"] for line in lines]


def _first(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [report for report in metrics if "initDurationMs" in report]


def _measured(metrics: list[dict[str, Any]]) -> str:
    cold = _first(metrics)
    init = median(report["initDurationMs"] for report in cold)
    first = median(report["durationMs"] for report in cold)
    warm = median(report["durationMs"] for report in metrics if report not in cold)
    used = max(report["maxMemoryUsedMB"] for report in metrics)
    size = metrics[0]["memorySizeMB"]
    return f"{size} MB: init {init:.0f} ms, first {first:.0f} ms, warm {warm:.0f} ms, {used} MB used"


CHECKS = (
    Check(
        name="cold-starts",
        expected="(measured) the resolver's median INIT, first and warm duration at each memory size",
        seconds=600,
        run=_cold_starts,
        left_out=local("writes no platform.report"),
    ),
    Check(
        name="runtime-versions",
        expected="(measured) Python and SDK of the Lambda runtime, and the account's concurrency limit",
        seconds=60,
        run=_versions,
    ),
)
