"""Whole templates against their snapshots, AWS's best practices (cdk-nag) and CloudFormation's schema (cfn-lint)."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from syrupy.extensions.json import JSONSnapshotExtension

from constructs_lib.registration._resolver import RESOLVER
from tests.infrastructure.checks import cfn_lint_findings, masked, synthesize_with_cdk_nag
from tests.infrastructure.stacks import full, minimal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

STACKS = pytest.mark.parametrize("build", [minimal, full])


@STACKS
def test_a_template_equals_its_snapshot(build: Callable[[App], Stack], snapshot: SnapshotAssertion) -> None:
    template = Template.from_stack(build(App())).to_json()

    assert masked(template) == snapshot(extension_class=JSONSnapshotExtension)


@STACKS
def test_cdk_nag_reports_no_unacknowledged_finding(build: Callable[[App], Stack], tmp_path: Path) -> None:
    synthesize_with_cdk_nag(build, tmp_path)


def test_cdk_nag_reports_a_finding_that_is_not_acknowledged(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        synthesize_with_cdk_nag(lambda app: sns.Topic(Stack(app, "Stack"), "WithoutTls"), tmp_path)


@STACKS
def test_cfn_lint_reports_no_finding(build: Callable[[App], Stack]) -> None:
    assert cfn_lint_findings(Template.from_stack(build(App())).to_json()) == []


def test_an_asset_that_is_written_twice_is_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        RESOLVER.write(tmp_path / name)

    one, two = (
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*")
            if file.is_file()
        }
        for name in ("one", "two")
    )
    assert one == two
    assert {path.suffix for path in one} == {".py", ".json"}


def test_models_in_the_home_folder_do_not_reach_the_asset(tmp_path: Path) -> None:
    folder = tmp_path / ".aws/models/sts/2099-01-01"
    folder.mkdir(parents=True)
    for name in ("service-2", "endpoint-rule-set-1"):
        (folder / f"{name}.json").write_text("{}", encoding="utf-8")
    write = (
        "import pathlib, sys, constructs_lib.registration._resolver as r; r.RESOLVER.write(pathlib.Path(sys.argv[1]))"
    )

    subprocess.run(
        [sys.executable, "-c", write, tmp_path / "asset"], env={**os.environ, "HOME": str(tmp_path)}, check=True
    )

    assert not (tmp_path / "asset/models/sts/2099-01-01").exists()
