"""What synth costs: against the same resources written by hand, and for each further registration in an app."""

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

from benchmarks.figures import Figure
from constructs_lib.registration._resolver import RESOLVER

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]

# A further registration costs half of what the first ones did, or less: few rounds show that, and each of them takes
# as long as several rounds of the comparison.
_ROUNDS_OF_INSTANCES = 3


def measure(*, rounds: int, instances: Sequence[int]) -> list[Figure]:
    """Return the CPU time of synth, that of Python and that of Node behind it.

    Args:
        rounds: how often the construct is compared to what is written by hand, two or more.
        instances: how many registrations an app has, rising, two or more.
    """
    with tempfile.TemporaryDirectory() as asset:
        RESOLVER.write(Path(asset))
        apps = [("empty",), ("hand_written", asset), ("construct", "1")]
        # The first run of an app compiles Python and unpacks the CDK into a cache.
        _cpu_seconds(*apps)
        # Side by side: other work on the machine slows all three alike, where one after the other it would hit one.
        compared = [_cpu_seconds(*apps) for _ in range(rounds)]
    empty, by_hand, construct = zip(*compared, strict=True)
    # One after the other, as an app of 50 would run long after one of 1 has ended.
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
        Figure.of("An empty app", empty, "s"),
        Figure.of("One registration, written by hand", by_hand, "s"),
        Figure.of("One `MarketplaceRegistration`", construct, "s"),
        Figure.of("… to what is written by hand", [ours / theirs for _, theirs, ours in compared], at_most=1.05),
        *(
            Figure.of(f"Each further one, from {smaller} to {larger}", cost, "s")
            for (smaller, larger), cost in zip(steps, zip(*costs, strict=True), strict=True)
        ),
        # Node's compiler warms up on the first ones, and more than noise is between that and a cost that would rise.
        Figure.of("… the last to the first of them", [cost[-1] / cost[0] for cost in costs], at_most=1),
    ]


def _cpu_seconds(*apps: Sequence[str]) -> list[float]:
    """Run apps side by side, and return the CPU time of each."""
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
    # It waits for the Node that it starts, whose time is in its own therefore.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime
