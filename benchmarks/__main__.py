"""Measure everything once: print the table, and write it as JSON and into docs/performance.md."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import botocore

from benchmarks import function, load, reconciliation, retries, synth
from benchmarks.measurements import Measurement, table
from constructs_lib.subscriptions._functions import RECONCILER
from docs.markers import between_markers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs/performance.md"


def sections(*, smoke: bool) -> Mapping[str, Callable[[], Sequence[Measurement]]]:
    """Return how each section is measured, by its name.

    Args:
        smoke: only enough of it to show that it runs; the measurements are then meaningless.
    """
    functions: dict[str, Callable[[], Sequence[Measurement]]] = {}
    for subject in function.SUBJECTS:
        name = subject.asset.package.capitalize()
        functions |= {
            f"{name}: cold start": partial(function.measure_cold, subject, pairs=1 if smoke else 20),
            f"{name}: warm": partial(
                function.measure_warm, subject, rounds=1 if smoke else 30, invocations=5 if smoke else 100
            ),
            f"{name}: asset": partial(function.measure_asset, subject.asset),
        }
    return {
        **functions,
        "Reconciler: a run": lambda: reconciliation.measure(few=2 if smoke else 100, many=4 if smoke else 1000),
        "Reconciler: asset": partial(function.measure_asset, RECONCILER),
        "Synth": lambda: synth.measure(rounds=1 if smoke else 12, instances=(1, 2) if smoke else (1, 5, 20, 50)),
        "Load": lambda: load.measure(registrations=20 if smoke else 10_000, at_once=4 if smoke else 50),
        "Marketplace limits to 10/s, simulated": retries.measure,
    }


def on_page(results: Path) -> str:
    """Return the part of docs/performance.md that shows results.

    Args:
        results: JSON, as this module writes it.
    """
    content = json.loads(results.read_text())
    sections = {name: [Measurement(**one) for one in section] for name, section in content["measurements"].items()}
    return f"With {content['with']}.\n\n{table(sections)}"


def main(arguments: Sequence[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", metavar="FILE", type=Path, help="only show that it runs, and write the JSON to FILE")
    smoke: Path | None = parser.parse_args(arguments).smoke
    measurements = {}
    for name, measure in sections(smoke=smoke is not None).items():
        print(f"{name} …", file=sys.stderr, flush=True)
        measurements[name] = [asdict(measurement) for measurement in measure()]
    content = {
        "with": f"Python {platform.python_version()}, botocore {botocore.__version__}",
        "measurements": measurements,
    }
    results = smoke or RESULTS
    results.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    print(on_page(results))
    if not smoke:
        PAGE.write_text(between_markers(PAGE.read_text(), "measurements", on_page(results)))


if __name__ == "__main__":
    main(sys.argv[1:])
