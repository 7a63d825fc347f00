"""The cost of synth: against the same resources written by hand, and of each additional registration in an app."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurements import Measurement
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]

# An additional registration costs at most half as much as the first ones: few rounds show that, and each of them takes
# as long as several rounds of the comparison.
_ROUNDS_OF_INSTANCES = 3

_GOAL = 1.05


def measure(*, rounds: int, instances: Sequence[int]) -> list[Measurement]:
    """Return the CPU time of synth, Node's included.

    Args:
        rounds: how often the constructs are compared to the hand-written stacks; a single round, without a warm-up,
            only shows that it runs.
        instances: how many registrations an app has, in ascending order, two or more.
    """
    resolver, *of_subscriptions = (str(asset.folder) for asset in (RESOLVER, SUBSCRIBER, PUBLISHER, RECONCILER))
    empty, by_hand, construct = _compared(("empty",), ("hand_written", resolver), ("construct", "1"), rounds=rounds)
    both_by_hand, both = _compared(("hand_written", resolver, *of_subscriptions), ("subscriptions",), rounds=rounds)
    # One after the other: an app with 50 would still run long after one with 1 has ended.
    grown = [
        [_cpu_seconds(("construct", str(number)))[0] for number in instances]
        for _ in range(min(rounds, _ROUNDS_OF_INSTANCES))
    ]
    steps = list(pairwise(instances))
    costs = [
        [
            (after - before) / (larger - smaller)
            for (before, after), (smaller, larger) in zip(pairwise(one), steps, strict=True)
        ]
        for one in grown
    ]
    return [
        Measurement.of("Empty app", empty, "s"),
        Measurement.of("Hand-written stack", by_hand, "s"),
        Measurement.of("One `MarketplaceRegistration`", construct, "s"),
        Measurement.of("… relative to the hand-written stack", _ratios(construct, by_hand), at_most=_GOAL),
        Measurement.of("Hand-written stack with subscriptions", both_by_hand, "s"),
        Measurement.of("`MarketplaceRegistration` and `MarketplaceSubscriptions`", both, "s"),
        Measurement.of(
            "… relative to the hand-written stack with subscriptions", _ratios(both, both_by_hand), at_most=_GOAL
        ),
        *(
            Measurement.of(f"Each additional one, from {smaller} to {larger}", cost, "s")
            for (smaller, larger), cost in zip(steps, zip(*costs, strict=True), strict=True)
        ),
        # Node's compiler warms up on the first ones; a rising cost would exceed that by more than noise.
        Measurement.of("… relative to the first of these", [cost[-1] / cost[0] for cost in costs], at_most=1),
    ]


def _compared(*apps: Sequence[str], rounds: int) -> list[tuple[float, ...]]:
    """Return each app's CPU times."""
    if rounds > 1:
        # The first run of an app compiles Python and unpacks the CDK into a cache.
        _cpu_seconds(*apps)
    # At the same time: other work on the machine slows down all of them alike.
    return list(zip(*(_cpu_seconds(*apps) for _ in range(rounds)), strict=True))


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _cpu_seconds(*apps: Sequence[str]) -> list[float]:
    """Run apps at the same time, and return the CPU time of each."""
    settings = json.loads((_ROOT / "cdk.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", f"benchmarks.synth_apps.{name}", *arguments],
                    cwd=_ROOT,
                    env={
                        **os.environ,
                        "CDK_OUTDIR": f"{folder}/{number}",
                        "CDK_CONTEXT_JSON": json.dumps(settings["context"]),
                    },
                )
            )
            for number, (name, *arguments) in enumerate(apps)
        ]
        return [_cpu_seconds_of(process) for process in processes]


def _cpu_seconds_of(process: subprocess.Popen[bytes]) -> float:
    # It waits for the Node process that it starts, so its own time includes Node's.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime
