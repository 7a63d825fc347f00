"""The benchmarks run, and measure all that they should; a test cannot find out how fast anything is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.__main__ import PAGE, RESULTS, on_page
from docs.markers import between_markers

ROOT = Path(__file__).parents[2]


def goals(results: dict[str, Any]) -> dict[str, list[float]]:
    return {
        section: [measurement["at_most"] for measurement in measurements if measurement["at_most"] is not None]
        for section, measurements in results["measurements"].items()
    }


def test_a_smoke_run_has_every_section_and_goal_of_a_full_run(tmp_path: Path) -> None:
    smoke = tmp_path / "smoke.json"

    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", str(smoke)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "lambda_src"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    results, recorded = json.loads(smoke.read_text()), json.loads(RESULTS.read_text())
    assert run.stdout.strip() == on_page(smoke).strip()
    assert goals(results) == goals(recorded)
    assert all(math.isfinite(one["value"]) for section in results["measurements"].values() for one in section)


def test_the_page_has_the_recorded_results() -> None:
    page = PAGE.read_text()

    assert between_markers(page, "measurements", on_page(RESULTS)) == page
