"""The wheel in a seller's environment: its contents, synth without network and Docker, and a deployment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.testing import MarketplaceCustomer
from local.product import LANDING_PAGE, PRODUCT_CODE
from tests.e2e.deployments import another
from tests.e2e.sellers_environment import PROJECT, SELLERS, SellersEnvironment, asset_of, build

if TYPE_CHECKING:
    from local.deployment import Deployment


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> SellersEnvironment:
    return SellersEnvironment(tmp_path_factory.mktemp("seller"), wheel=wheel, base=Path(sys.executable))


def test_the_wheel_contains_the_constructs_their_types_and_the_lambda_source_only(wheel: Path) -> None:
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


def test_two_builds_of_the_wheel_are_identical(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    again = build(tmp_path / "dist")

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_is_built_with_the_locked_hatchling() -> None:
    required = re.search(r'^requires = \["hatchling==(.+)"\]$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)

    assert required
    assert distribution("hatchling").version == required[1]


def test_the_environment_has_the_wheel_and_its_dependencies_but_not_the_checkout(
    environment: SellersEnvironment,
) -> None:
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
def test_a_synth_that_used_the_network_would_fail(environment: SellersEnvironment, command: list[str]) -> None:
    line = [part.format(python=environment.python, node=os.environ["JSII_NODE"]) for part in command]

    done = subprocess.run(line, env=environment.variables(), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "no network at synth" in done.stderr


@pytest.mark.parametrize("seller", sorted(path.stem for path in SELLERS.glob("*.py")))
def test_a_sellers_app_is_synthesized_without_network_and_docker(
    environment: SellersEnvironment, from_checkout: dict[str, Any], seller: str
) -> None:
    assert shutil.which("docker", path=environment.variables()["PATH"]) is None

    synthesized = environment.synth(seller)

    assert asset_of(synthesized) == asset_of(from_checkout)


def test_the_template_is_the_same_from_wheel_and_checkout_and_under_different_hash_seeds(
    environment: SellersEnvironment, from_checkout: dict[str, Any]
) -> None:
    assert environment.synth("minimal") == from_checkout


def test_lambda_can_read_the_asset_whatever_the_sellers_umask(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        RESOLVER.write(tmp_path / "asset")
    finally:
        os.umask(umask)

    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "asset").rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_a_buyer_registers_with_a_deployment_from_the_wheel(
    deployment: Deployment, environment: SellersEnvironment
) -> None:
    app = shlex.join([str(environment.python), "minimal.py"])
    outputs = deployment.aws.deploy(app=app, cwd=environment.folder / "sellers")["Minimal"]
    product = another(deployment, outputs)
    buyer = MarketplaceCustomer.licensed(PRODUCT_CODE)

    with product.http:
        response = product.set_up_account(product.marketplace.form(buyer))

    assert response.status_code == 303
    assert response.headers["Location"].startswith(f"{LANDING_PAGE}?registration_code=")
    (registration,) = product.registrations()
    assert registration["ProductCode"] == PRODUCT_CODE
