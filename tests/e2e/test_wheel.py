"""The wheel in a seller's environment: its contents, synth without network and Docker, and a deployment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from constructs_lib.testing import MarketplaceCustomer
from local.product import LANDING_PAGE, PRODUCT_CODE
from tests.e2e.deployments import another
from tests.e2e.sellers_environment import PROJECT, SELLERS, SellersEnvironment, asset_of, build, metadata, run

if TYPE_CHECKING:
    from local.deployment import Deployment


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> SellersEnvironment:
    return SellersEnvironment(tmp_path_factory.mktemp("seller"), wheel=wheel, base=Path(sys.executable))


def test_the_wheel_contains_the_constructs_their_types_assets_and_documentation_only(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        contents = {name: archive.read(name) for name in names}

    # Through the links of the checkout's assets.
    walk = os.walk(PROJECT / "constructs_lib", followlinks=True)
    library = [Path(folder, name) for folder, _, files in walk for name in files]
    pages = {path: f"constructs_lib/{path.relative_to(PROJECT).as_posix()}" for path in (PROJECT / "docs").rglob("*")}
    expected = {
        **{path.relative_to(PROJECT).as_posix(): path.read_bytes() for path in library if path.suffix != ".pyc"},
        **{name: path.read_bytes() for path, name in pages.items() if path.suffix in {".md", ".svg"}},
    }
    assert contents == expected
    assert {
        "constructs_lib/py.typed",
        "constructs_lib/docs/runbook.md",
        "constructs_lib/functions/assets/resolver/resolver/main.py",
        "constructs_lib/functions/assets/resolver/models/endpoints.json",
        "constructs_lib/testing/__init__.py",
    } <= contents.keys()


def test_the_license_is_declared_and_included(wheel: Path) -> None:
    assert metadata(wheel, "License-Expression") == ["Apache-2.0"]
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(name) == (PROJECT / "LICENSE").read_bytes()


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1580601600")
    hatchling = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path / "dist"), "--target"]
    run(*hatchling, "sdist")
    with tarfile.open(next((tmp_path / "dist").glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("marketplace_registration-*")

    run(*hatchling, "wheel", cwd=source)

    assert next((tmp_path / "dist").glob("*.whl")).read_bytes() == wheel.read_bytes()


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


@pytest.mark.parametrize("botocore", ["another", "none"])
def test_the_asset_is_the_same_whatever_botocore_is_installed(
    wheel: Path, from_checkout: dict[str, Any], tmp_path: Path, botocore: str
) -> None:
    (old_sdk,) = (PROJECT / ".lowest/lib").glob("python3.*/site-packages")
    environment = SellersEnvironment(
        tmp_path / "seller",
        wheel=wheel,
        base=Path(sys.executable),
        botocore=old_sdk if botocore == "another" else botocore,
    )
    version = (
        "import importlib.util; print(importlib.util.find_spec('botocore') and __import__('botocore').__version__)"
    )
    assert environment.run("-c", version).strip() == {"another": "1.40.0", "none": "None"}[botocore]

    assert environment.synth("minimal") == from_checkout


def test_the_program_that_checks_a_real_account_is_in_the_wheel(environment: SellersEnvironment, wheel: Path) -> None:
    assert "--account" in environment.run("-m", "constructs_lib.verify", "--help")
    # The extra is that of the constructs, as the program deploys them.
    extras: dict[str, set[str]] = {"cdk": set(), "verify": set()}
    for requirement in map(Requirement, metadata(wheel, "Requires-Dist")):
        for extra, names in extras.items():
            if requirement.marker and requirement.marker.evaluate({"extra": extra}):
                names.add(f"{requirement.name}{requirement.specifier}")
    assert extras["verify"] == extras["cdk"] != set()


def test_without_the_extra_a_construct_says_what_to_install_and_the_rest_works(wheel: Path, tmp_path: Path) -> None:
    environment = SellersEnvironment(tmp_path / "backend", wheel=wheel, base=Path(sys.executable), extras=())
    code = """
import sys, constructs_lib.testing
print(sorted({"aws_cdk", "jsii", "constructs", "boto3"} & sys.modules.keys()))
try:
    from constructs_lib import MarketplaceRegistration
except ImportError as error:
    print(error)
"""

    assert environment.run("-c", code).splitlines() == [
        "[]",
        "MarketplaceRegistration needs the AWS CDK: pip install 'marketplace-registration[cdk]'",
    ]
    assert environment.pip("check").strip() == "No broken requirements found."


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
