"""`make demo` on a machine that has never run it: its commands, without what make installs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder without caches, whose settings for the CDK suit another project."""
    home = tmp_path / "home of a buyer"
    home.mkdir()
    settings = {"profile": "theirs", "toolkitStackName": "theirs", "context": {"aws:cdk:disable-stack-trace": "theirs"}}
    (home / ".cdk.json").write_text(json.dumps(settings))
    return home


def start(scratch: Path, command: str = "demo", **variables: str) -> subprocess.Popen[str]:
    scratch.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "local", command],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


def running(scratch: Path) -> list[str]:
    """Return the processes with the scratch folder in their arguments or environment."""
    every = subprocess.run(["ps", "axeww", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return [line for line in every.splitlines() if str(scratch) in line]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_demos_at_once_succeed_whatever_the_home_folder_holds(home: Path, tmp_path: Path) -> None:
    processes = [start(tmp_path / name, HOME=str(home)) for name in ("one", "two")]

    outputs = [process.communicate(timeout=240)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    assert all("47 of 47 checks passed" in output for output in outputs)


@pytest.mark.parametrize(
    ("moment", "stop", "status"),
    [
        ("imports", signal.SIGINT, 130),
        ("cdk bootstrap", signal.SIGTERM, 143),
        ("cdk deploy", signal.SIGINT, 130),
        ("buyers", signal.SIGINT, 130),
    ],
)
def test_a_stopped_demo_leaves_nothing(tmp_path: Path, moment: str, stop: signal.Signals, status: int) -> None:
    scratch = tmp_path / "scratch"
    process = start(scratch)
    assert process.stdout
    if moment == "imports":
        time.sleep(0.3)
    if moment == "cdk bootstrap":
        wait_until(lambda: list(scratch.glob("*/cdk-home")))
    if moment == "cdk deploy":
        wait_until(lambda: list(scratch.glob("*/cdk.out")))
    if moment == "buyers":
        while not process.stdout.readline().startswith("Deployed"):
            assert process.poll() is None
    assert running(scratch)

    # As a terminal does it: to every process in the foreground.
    os.killpg(process.pid, stop)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == status, output
    assert output.splitlines()[-2:] == ["", "Everything is stopped"]
    assert "Traceback" not in output
    assert list(scratch.iterdir()) == []
    assert running(scratch) == []
