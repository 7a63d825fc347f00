"""The templates whole: as they were, by AWS's rules of good practice, and by CloudFormation's schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from cfnlint import ManualArgs, lint
from syrupy.extensions.json import JSONSnapshotExtension

from constructs_lib.registration._resolver import RESOLVER
from tests.infrastructure.stacks import full, minimal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

STACKS = pytest.mark.parametrize("build", [minimal, full])


def masked(template: Any) -> Any:
    """Hide the assets' hashes: another botocore makes another asset, and nobody can read a hash in a diff."""
    return json.loads(re.sub(r"[0-9a-f]{64}", "HASH", json.dumps(template)))


@STACKS
def test_the_template_is_as_it_was(build: Callable[[App], Stack], snapshot: SnapshotAssertion) -> None:
    template = Template.from_stack(build(App())).to_json()

    assert masked(template) == snapshot(extension_class=JSONSnapshotExtension)


@STACKS
def test_nothing_is_left_unacknowledged_of_the_aws_solutions_rules(
    build: Callable[[App], Stack], tmp_path: Path
) -> None:
    app = App(outdir=str(tmp_path), context={"@aws-cdk/core:validateAgainstDefaultRules": True})
    build(app)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    app.synth()

    assert (tmp_path / "validation-report.json").exists()


def test_the_rules_are_looked_at(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    sns.Topic(Stack(app, "Stack"), "WithoutTls")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        app.synth()


@STACKS
def test_cfn_lint_finds_nothing(build: Callable[[App], Stack]) -> None:
    template = Template.from_stack(build(App())).to_json()

    # W3005: the CDK makes a function depend on its role once more than it needs to.
    findings = lint(json.dumps(template), config=ManualArgs(ignore_checks=["W3005"]))

    assert [str(finding) for finding in findings] == []


def test_the_asset_is_the_same_however_often_it_is_written(tmp_path: Path) -> None:
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


def test_the_asset_has_the_models_of_botocore_whatever_is_in_the_home_folder(tmp_path: Path) -> None:
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
