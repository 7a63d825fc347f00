"""Three ways of a new user, each in an empty folder with the wheel and what docs/testing.md says to install."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.sellers_environment import PROJECT, SellersEnvironment, run

if TYPE_CHECKING:
    from collections.abc import Callable

    Install = Callable[..., SellersEnvironment]

PAGE = (PROJECT / "docs/testing.md").read_text(encoding="utf-8")
EMULATOR = ".local-aws"
WITHOUT_CDK = """
from importlib.util import find_spec


def test_nothing_more_is_installed() -> None:
    assert not any(map(find_spec, ("aws_cdk", "jsii", "boto3")))
"""


def block(heading: str) -> str:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(code)


def written(environment: SellersEnvironment, **files: str) -> Path:
    """Return the folder of the user's project."""
    folder = environment.folder / "project"
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def passed(environment: SellersEnvironment, folder: Path, *options: str, **variables: str) -> int:
    """Run the user's tests, and return how many passed."""
    command: list[str | Path] = [environment.python, "-m", "pytest", "-q", "-W", "error", *options]
    out = run(*command, env={**environment.variables(), **variables}, cwd=folder)
    (number,) = re.findall(r"^(\d+) passed", out, re.MULTILINE)
    return int(number)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Install:
    def install(
        *tools: str, extras: tuple[str, ...] = (), name: str = "user", botocore: str | Path = ""
    ) -> SellersEnvironment:
        return SellersEnvironment(
            tmp_path / name,
            wheel=wheel,
            base=Path(sys.executable),
            extras=extras,
            tools=("pytest", *tools),
            botocore=botocore,
            guarded=False,
        )

    return install


def test_a_stack_with_snapshot_and_assertions(installed: Install) -> None:
    environment = installed("syrupy", extras=("cdk",))
    folder = written(environment, test_stack=block("A stack"))

    assert passed(environment, folder, "--snapshot-update") == 2

    assert passed(environment, folder) == 2
    # On a machine that has another SDK the snapshot is the same, with the asset's hash.
    (sdk,) = (PROJECT / ".lowest/lib").glob("python3.*/site-packages")
    assert passed(installed("syrupy", extras=("cdk",), name="other", botocore=sdk), folder) == 2


def test_a_backend_with_client_and_fixtures_and_no_cdk(installed: Install) -> None:
    environment = installed()
    folder = written(environment, test_backend=block("A backend that claims"), test_environment=WITHOUT_CDK)

    # No Node either: nothing is on the PATH.
    assert passed(environment, folder, JSII_NODE="") == 2


def test_both_together_against_a_local_aws(installed: Install) -> None:
    environment = installed(extras=("cdk", "local-aws"))
    readme, *_ = re.findall(r"^```python\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    folder = written(environment, app=readme, test_stack=block("A deployed stack"))
    (folder / "cdk.json").write_text(json.dumps({"app": f"{environment.python} app.py"}), encoding="utf-8")
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    # Node, for the command line of the CDK.
    path = os.pathsep.join([str(Path(os.environ["JSII_NODE"]).parent), os.environ["PATH"]])

    with pytest.raises(AssertionError, match=r"there is no AWS emulator at .*ministack==1\.5\.33"):
        passed(environment, folder, PATH=path)

    (folder / EMULATOR).symlink_to(PROJECT / EMULATOR)
    assert passed(environment, folder, PATH=path) == 1
