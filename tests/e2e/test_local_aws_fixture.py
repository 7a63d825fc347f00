"""The fixture that deploys a seller's stack, in a project of the seller's: README's app, and docs/testing.md's test."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.product import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = "constructs_lib.testing.pytest_plugin"


def python_block(page: str, heading: str) -> str:
    section = (PROJECT / page).read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    (block,) = re.findall(r"^```python\n(.*?)^```", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    assert isinstance(block, str)
    return block


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (readme,) = re.findall(r"^```python\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "app.py").write_text(readme, encoding="utf-8")
    # A seller has the library installed; the command line does not pass on Python's variables.
    app = f"PYTHONPATH={shlex.quote(str(PROJECT))} python app.py"
    (tmp_path / "cdk.json").write_text(json.dumps({"app": app}), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_stack.py").write_text(python_block("docs/testing.md", "## A deployed stack"), encoding="utf-8")
    return tmp_path


def run(project: Path, *options: str) -> str:
    path = os.pathsep.join([str(PROJECT / "node_modules/.bin"), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", PLUGIN, *options],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_sellers_stack_is_deployed_and_a_buyer_is_claimed(project: Path) -> None:
    (project / ".local-aws").symlink_to(PROJECT / ".local-aws")

    assert re.search(r"^1 passed", run(project), re.MULTILINE)


def test_without_the_emulator_the_fixture_says_how_to_install_it(project: Path) -> None:
    out = run(project)

    assert "there is no AWS emulator" in out
    assert "pip install ministack" in out
