"""Whole templates against their snapshots, AWS's best practices (cdk-nag) and CloudFormation's schema (cfn-lint)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks
from syrupy.extensions.json import JSONSnapshotExtension

from tests.infrastructure.checks import cfn_lint_findings, masked, synthesize_with_cdk_nag
from tests.infrastructure.stacks import forwarding, full, full_subscriptions, minimal, subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

STACKS = pytest.mark.parametrize("build", [minimal, full, subscriptions, full_subscriptions, forwarding])


@STACKS
def test_a_template_equals_its_snapshot(build: Callable[[App], Stack], snapshot: SnapshotAssertion) -> None:
    template = Template.from_stack(build(App())).to_json()

    assert masked(template) == snapshot(extension_class=JSONSnapshotExtension)


@STACKS
def test_cdk_nag_reports_no_unacknowledged_finding(build: Callable[[App], Stack], tmp_path: Path) -> None:
    synthesize_with_cdk_nag(build, tmp_path, [AwsSolutionsChecks, ServerlessChecks])


@STACKS
def test_every_acknowledged_rule_has_its_reason_in_the_template(build: Callable[[App], Stack]) -> None:
    """Where cdk-nag 2 and checkov read it."""
    metadata = [
        resource["Metadata"]
        for resource in Template.from_stack(build(App())).to_json()["Resources"].values()
        if "Metadata" in resource
    ]

    suppressed = [rule for part in metadata for rule in part.get("cdk_nag", {}).get("rules_to_suppress", [])]
    skipped = [rule for part in metadata for rule in part.get("checkov", {}).get("skip", [])]
    assert {rule["id"].partition("-")[0] for rule in suppressed} == {"AwsSolutions", "Serverless"}
    assert all(rule["reason"].endswith(".") for rule in suppressed)
    # The forwarding has neither functions nor tables.
    expected = () if build is forwarding else (115, 116, 117, 158, 165, 173)
    assert {rule["id"] for rule in skipped} == {f"CKV_AWS_{number}" for number in expected}
    assert all(rule["comment"].endswith(".") for rule in skipped)


def test_cdk_nag_reports_a_finding_that_is_not_acknowledged(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        synthesize_with_cdk_nag(lambda app: sns.Topic(Stack(app, "Stack"), "WithoutTls"), tmp_path)


@STACKS
def test_cfn_lint_reports_no_finding(build: Callable[[App], Stack]) -> None:
    assert cfn_lint_findings(Template.from_stack(build(App())).to_json()) == []
