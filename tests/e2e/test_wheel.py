"""The wheel as a seller has it: in an environment of its own, without the checkout, without network and Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.testing import MarketplaceCustomer
from local.deployment import Deployment
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
SELLERS = Path(__file__).parent / "sellers"

RUNNING = f"3.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13", "3.14") if version != RUNNING]

# Refused is the socket itself, so that nobody can catch a failed connection and go on.
GUARD = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"no network at synth: {event}")

sys.addaudithook(refuse)
"""
NODE_GUARD = """
const refuse = () => { throw new Error('no network at synth') }
require('net').Socket.prototype.connect = refuse
require('dns').lookup = refuse
require('dgram').createSocket = refuse
"""


def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> str:
    done = subprocess.run(
        [str(part) for part in command], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(folder: Path) -> Path:
    """Run `make dist`, whatever the state of the environment that the tests run in."""
    run("make", "--old-file", ".venv/.installed", "dist", f"DIST={folder}")
    (wheel,) = folder.iterdir()
    return wheel


class Environment:
    """An environment in a folder of its own, with the wheel and what the wheel says that it needs, and nothing else."""

    def __init__(self, folder: Path, *, wheel: Path, base: Path) -> None:
        self.folder = folder
        self.python = folder / "venv/bin/python"
        self._base = base
        self._pycache = folder / "pycache"
        for scratch in ("nothing", "sellers", "out"):
            (folder / scratch).mkdir(parents=True)
        run(base, "-m", "venv", "--without-pip", folder / "venv")
        (site,) = (folder / "venv/lib").glob("python3.*/site-packages")
        link_dependencies(wheel, site)
        self.pip("install", "--quiet", "--no-index", wheel)
        (site / "no_network_guard.py").write_text(GUARD)
        (site / "no_network_guard.pth").write_text("import no_network_guard\n")
        (folder / "no-network.js").write_text(NODE_GUARD)
        shutil.copytree(SELLERS, folder / "sellers", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def pip(self, *arguments: str | Path) -> str:
        return run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python, *arguments)

    def variables(self) -> dict[str, str]:
        """Return all that the seller's app knows of the machine: neither a PATH nor a word of AWS."""
        kept = ("HOME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": str(self.folder / "nothing"),
            "TMPDIR": str(self.folder),
            "JSII_NODE": os.environ["JSII_NODE"],
            "NODE_OPTIONS": f"--require {json.dumps(str(self.folder / 'no-network.js'))}",
            # The dependencies' folders are the tests' own, in which another Python has nothing to write.
            "PYTHONPYCACHEPREFIX": str(self._pycache),
        }

    def run(self, *arguments: str, **variables: str) -> str:
        return run(self.python, *arguments, env={**self.variables(), **variables}, cwd=self.folder / "sellers")

    def synth(self, seller: str) -> dict[str, Any]:
        """Return the template of a seller's only stack."""
        out = self.folder / "out" / seller
        if not out.exists():
            self.run(f"{seller}.py", CDK_OUTDIR=str(out))
        return template(out)


def link_dependencies(wheel: Path, site: Path) -> None:
    """Lend the tests' packages to an environment, which saves a minute, but only those that the wheel says it needs."""
    wanted = [Requirement(line) for line in metadata(wheel, "Requires-Dist")]
    linked = set()
    while wanted:
        requirement = wanted.pop()
        if requirement.name in linked or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        linked.add(requirement.name)
        package = distribution(requirement.name)
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
        wanted += map(Requirement, package.requires or ())


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


@cache
def interpreter(version: str) -> Path | None:
    """Return a Python of a version, from the PATH or from pyenv."""
    found = shutil.which(f"python{version}")
    candidates = [
        *([Path(found)] if found else []),
        *Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}"),
    ]
    tell = "import sys, venv, ssl; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for candidate in candidates:
        # A shim of pyenv is there also for a Python that is not chosen, and then ends with an error.
        told = subprocess.run([candidate, "-c", tell], capture_output=True, text=True, check=False)
        if told.returncode == 0 and told.stdout.startswith(f"{version} "):
            return Path(told.stdout.split(maxsplit=1)[1].strip())
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("seller"), wheel=wheel, base=Path(sys.executable))


@pytest.fixture(scope="module")
def from_checkout(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return synth_in_checkout(tmp_path_factory.mktemp("checkout"), hash_seed=0)


def synth_in_checkout(folder: Path, *, hash_seed: int) -> dict[str, Any]:
    settings = {"PYTHONPATH": str(PROJECT), "PYTHONHASHSEED": str(hash_seed), "CDK_OUTDIR": str(folder / "out")}
    run(sys.executable, SELLERS / "minimal.py", env={**os.environ, **settings}, cwd=folder)
    return template(folder / "out")


def test_the_wheel_holds_the_construct_its_types_and_the_lambda_source_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        contents = {name: archive.read(name) for name in names}

    sources = [
        path for folder in ("constructs_lib", "lambda_src") for path in (PROJECT / folder).rglob("*") if path.is_file()
    ]
    expected = {
        path.relative_to(PROJECT).as_posix(): path.read_bytes()
        for path in sources
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert contents == expected
    assert {
        "constructs_lib/py.typed",
        "constructs_lib/testing/__init__.py",
        "lambda_src/resolver/main.py",
    } <= contents.keys()


def test_the_wheel_built_twice_is_the_same_to_the_byte(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    again = build(tmp_path / "dist")

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_what_builds_the_wheel_is_what_is_locked() -> None:
    required = re.search(r'^requires = \["hatchling==(.+)"\]$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)

    assert required
    assert distribution("hatchling").version == required[1]


def test_the_environment_has_the_wheel_and_what_it_needs_but_not_the_checkout(environment: Environment) -> None:
    code = (
        "import constructs_lib, constructs_lib.testing, os, sys\n"
        "print(constructs_lib.__file__, *map(os.path.abspath, sys.path), sep='\\n')"
    )

    imported, *path = environment.run("-c", code).splitlines()

    assert Path(imported).is_relative_to(environment.folder / "venv")
    assert not {str(PROJECT), str(PROJECT / "lambda_src")} & set(path)
    assert environment.pip("check").strip() == "No broken requirements found."


@pytest.mark.parametrize(
    "command",
    [
        ["{python}", "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"],
        ["{node}", "-e", "require('http').get('http://127.0.0.1:9')"],
    ],
    ids=["python", "node"],
)
def test_a_synth_that_asked_the_network_would_fail(environment: Environment, command: list[str]) -> None:
    line = [part.format(python=environment.python, node=os.environ["JSII_NODE"]) for part in command]

    done = subprocess.run(line, env=environment.variables(), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "no network at synth" in done.stderr


@pytest.mark.parametrize("seller", sorted(path.stem for path in SELLERS.glob("*.py")))
def test_a_sellers_app_is_synthesised_without_network_and_docker(
    environment: Environment, from_checkout: dict[str, Any], seller: str
) -> None:
    assert shutil.which("docker", path=environment.variables()["PATH"]) is None

    synthesised = environment.synth(seller)

    assert asset_of(synthesised) == asset_of(from_checkout)


def test_the_template_is_the_same_from_the_wheel_and_from_the_checkout(
    environment: Environment, from_checkout: dict[str, Any]
) -> None:
    assert environment.synth("minimal") == from_checkout


def test_the_template_does_not_hang_on_the_order_of_hashes(from_checkout: dict[str, Any], tmp_path: Path) -> None:
    assert synth_in_checkout(tmp_path, hash_seed=1) == from_checkout


def test_lambda_may_read_the_asset_whatever_the_seller_lets_others_read(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        RESOLVER.write(tmp_path / "asset")
    finally:
        os.umask(umask)

    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "asset").rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


@pytest.mark.parametrize("version", OTHERS)
def test_the_asset_is_the_same_on_another_python(
    wheel: Path, from_checkout: dict[str, Any], tmp_path: Path, version: str
) -> None:
    base = interpreter(version)
    if base is None:
        pytest.skip(f"another Python is missing: there is no {version} on this machine to compare {RUNNING} with")

    synthesised = Environment(tmp_path / "seller", wheel=wheel, base=base).synth("minimal")

    assert asset_of(synthesised) == asset_of(from_checkout)


def test_a_buyer_registers_with_what_was_deployed_from_the_wheel(
    deployment: Deployment, environment: Environment
) -> None:
    app = shlex.join([str(environment.python), "minimal.py"])
    outputs = deployment.aws.deploy(app=app, cwd=environment.folder / "sellers")["Minimal"]
    product = Deployment(
        aws=deployment.aws,
        marketplace=deployment.marketplace,
        api_id=outputs["ApiId"],
        table_name=outputs["TableName"],
    )
    buyer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    with product.http:
        answer = product.set_up_account(product.marketplace.form(buyer))

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{LANDING_PAGE}?registration_code=")
    (registration,) = product.registrations()
    assert registration["ProductCode"] == PRODUCT_CODE
