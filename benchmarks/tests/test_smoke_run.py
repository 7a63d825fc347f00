"""The benchmarks run, and say all that they are to say; how fast anything is, a test cannot find out."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.__main__ import BEGIN, END, PAGE, RESULTS, on_page

ROOT = Path(__file__).parents[2]


def goals(results: dict[str, Any]) -> dict[str, list[float]]:
    return {
        section: [figure["at_most"] for figure in figures if figure["at_most"] is not None]
        for section, figures in results["figures"].items()
    }


def test_a_smoke_run_says_all_that_a_full_run_says(tmp_path: Path) -> None:
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
    assert all(math.isfinite(figure["value"]) for figures in results["figures"].values() for figure in figures)


def test_the_page_has_the_recorded_results() -> None:
    assert f"{BEGIN}{on_page(RESULTS)}{END}" in PAGE.read_text()
