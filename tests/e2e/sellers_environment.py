"""What a seller has: the wheel in a virtual environment of its own, without the checkout, network or Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
SELLERS = Path(__file__).parent / "sellers"

# The socket itself raises, so that no code can catch a failed connection and carry on.
GUARD = """
import sys

def reject(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"no network at synth: {event}")

sys.addaudithook(reject)
"""
NODE_GUARD = """
const reject = () => { throw new Error('no network at synth') }
require('net').Socket.prototype.connect = reject
require('dns').lookup = reject
require('dgram').createSocket = reject
"""


def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> str:
    done = subprocess.run(
        [str(part) for part in command], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(folder: Path) -> Path:
    """Run `make dist`, whatever the state of `.venv`."""
    scripts = os.path.relpath(Path(sys.executable).parent, PROJECT)
    run("make", "--old-file", ".venv/.installed", "dist", f"BIN={scripts}", f"DIST={folder}")
    (wheel,) = folder.iterdir()
    return wheel


class SellersEnvironment:
    """A virtual environment with the wheel and the dependencies that it declares, and nothing more.

    Args:
        folder: Where everything is.
        wheel: What is installed.
        base: The Python.
        extras: The wheel's extras.
        botocore: A folder that has another botocore, or "none" for an environment without one.
        tools: What the seller installed besides the wheel.
        guarded: Whether the network is out of reach.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wheel: Path,
        base: Path,
        extras: tuple[str, ...] = ("cdk",),
        botocore: str | Path = "",
        tools: tuple[str, ...] = (),
        guarded: bool = True,
    ) -> None:
        self.folder = folder
        self.python = folder / "venv/bin/python"
        for scratch in ("nothing", "sellers", "out"):
            (folder / scratch).mkdir(parents=True)
        run(base, "-m", "venv", "--without-pip", folder / "venv")
        (site,) = (folder / "venv/lib").glob("python3.*/site-packages")
        link_dependencies(wheel, site, extras, tools)
        if botocore:
            (site / "botocore").unlink()
        if isinstance(botocore, Path):
            (site / "botocore").symlink_to(botocore / "botocore")
        self.pip("install", "--quiet", "--no-index", wheel)
        (site / "no_network_guard.py").write_text(GUARD if guarded else "")
        (site / "no_network_guard.pth").write_text("import no_network_guard\n")
        (folder / "no-network.js").write_text(NODE_GUARD if guarded else "")
        shutil.copytree(SELLERS, folder / "sellers", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def pip(self, *arguments: str | Path) -> str:
        return run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python, *arguments)

    def variables(self) -> dict[str, str]:
        """Return all that the seller's app knows about the machine: no PATH, nothing of AWS."""
        kept = ("HOME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": str(self.folder / "nothing"),
            "TMPDIR": str(self.folder),
            "JSII_NODE": os.environ["JSII_NODE"],
            "NODE_OPTIONS": f"--require {json.dumps(str(self.folder / 'no-network.js'))}",
        }

    def run(self, *arguments: str, **variables: str) -> str:
        return run(self.python, *arguments, env={**self.variables(), **variables}, cwd=self.folder / "sellers")

    def synth(self, seller: str) -> dict[str, Any]:
        """Return the template of a seller's only stack, made under another hash seed than in the checkout."""
        out = self.folder / "out" / seller
        if not out.exists():
            self.run(f"{seller}.py", CDK_OUTDIR=str(out), PYTHONHASHSEED="1")
        return template(out)


def link_dependencies(wheel: Path, site: Path, extras: tuple[str, ...], tools: tuple[str, ...]) -> None:
    """Link the tests' own packages, which saves a minute, but only the dependencies that the wheel declares."""
    wanted = [
        (requirement, extra)
        for requirement in map(Requirement, metadata(wheel, "Requires-Dist"))
        for extra in ("", *extras)
    ]
    wanted += [(Requirement(tool), "") for tool in tools]
    linked = set()
    while wanted:
        requirement, extra = wanted.pop()
        if requirement.name in linked or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        linked.add(requirement.name)
        package = distribution(requirement.name)
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
        wanted += [(Requirement(line), "") for line in package.requires or ()]


def metadata(wheel: Path, field: str) -> list[str]:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return re.findall(rf"^{field}: (.*)$", archive.read(name).decode(), re.MULTILINE)


def template(out: Path) -> dict[str, Any]:
    (path,) = out.glob("*.template.json")
    parsed: dict[str, Any] = json.loads(path.read_text())
    return parsed


def asset_of(template: Mapping[str, Any]) -> str:
    """Return the key of the Lambda asset, which is its hash."""
    (function,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and resource["Properties"]["Handler"] == "resolver.main.handler"
    )
    key: str = function["Code"]["S3Key"]
    assert re.fullmatch(r"[0-9a-f]{64}\.zip", key)
    return key


def synth_in_checkout(folder: Path) -> dict[str, Any]:
    settings = {"PYTHONPATH": str(PROJECT), "PYTHONHASHSEED": "0", "CDK_OUTDIR": str(folder / "out")}
    run(sys.executable, SELLERS / "minimal.py", env={**os.environ, **settings}, cwd=folder)
    return template(folder / "out")
