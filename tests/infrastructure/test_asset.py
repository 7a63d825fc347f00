"""The function's asset is a folder of the package, the same on every machine."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App

from constructs_lib.functions import _asset
from constructs_lib.functions._asset import FunctionAsset
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER
from tests.infrastructure.stacks import minimal

if TYPE_CHECKING:
    from pathlib import Path


def synthesize(folder: Path, **context: Any) -> tuple[str, str]:
    """Return the path and the hash of the resolver's asset."""
    app = App(outdir=str(folder), context=context)
    minimal(app)
    app.synth()
    (manifest,) = folder.glob("*.assets.json")
    (file,) = (
        (hash_, file)
        for hash_, file in json.loads(manifest.read_text())["files"].items()
        if "zip" in str(file["source"])
    )
    return file[1]["source"]["path"], file[0]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the assets as a wheel installs them: without links."""
    folder = tmp_path / "assets"
    shutil.copytree(RESOLVER.folder.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_asset, "_ASSETS", folder)
    return folder


def test_without_staging_the_asset_is_the_packages_own_folder(tmp_path: Path) -> None:
    staged = synthesize(tmp_path / "staged")
    in_place = synthesize(tmp_path / "in-place", **{"aws:cdk:disable-asset-staging": True})

    assert (tmp_path / "in-place" / in_place[0]).resolve() == RESOLVER.folder
    assert in_place[1] == staged[1]


def test_a_checkouts_links_and_a_wheels_copies_are_the_same_asset(copy: Path, tmp_path: Path) -> None:
    linked = synthesize(tmp_path / "copied")[1]
    _asset._ASSETS = RESOLVER.folder.parent

    assert copy == RESOLVER.folder.parent
    assert synthesize(tmp_path / "linked")[1] == linked


def test_compiled_modules_are_no_part_of_the_asset(copy: Path, tmp_path: Path) -> None:
    before = synthesize(tmp_path / "before")[1]
    for package in ("resolver", "sdk"):
        (copy / f"resolver/{package}/__pycache__").mkdir()
        (copy / f"resolver/{package}/__pycache__/main.cpython-313.pyc").write_bytes(b"compiled")

    path, hash_ = synthesize(tmp_path / "after")

    assert hash_ == before
    assert {file.suffix for file in (tmp_path / "after" / path).rglob("*") if file.is_file()} == {".py", ".json"}


def test_lambda_can_read_the_asset_whatever_the_umask_it_was_installed_under(copy: Path, tmp_path: Path) -> None:
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)

    asset = tmp_path / "out" / synthesize(tmp_path / "out")[0]

    assert all(path.stat().st_mode & 0o444 == 0o444 for path in asset.rglob("*"))
    assert all(path.stat().st_mode & 0o111 == 0o111 for path in asset.rglob("*") if path.is_dir())


@pytest.mark.parametrize("asset", [RESOLVER, SUBSCRIBER, PUBLISHER, RECONCILER], ids=lambda asset: asset.package)
def test_the_models_know_only_what_the_function_calls(asset: FunctionAsset) -> None:
    found = {
        path.parts[-3]: frozenset(json.loads(path.read_text())["operations"])
        for path in (asset.folder / "models").rglob("service-2.json")
    }

    assert found == asset.operations


def test_an_asset_belongs_to_its_package() -> None:
    assert FunctionAsset(package="other", operations={}).folder.name == "other"
