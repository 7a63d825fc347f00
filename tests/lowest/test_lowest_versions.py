"""The lowest versions that the project allows are enough for a stack; run by `make lowest`."""

from __future__ import annotations

import json
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_cdk import App, Aspects, Stack
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from tests.infrastructure.checks import masked
from tests.infrastructure.stacks import forwarding, full, full_subscriptions, minimal, subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cdk"]]
SNAPSHOTS = ROOT / "tests/infrastructure/__snapshots__/test_quality"
STACKS = pytest.mark.parametrize("build", [minimal, full, subscriptions, full_subscriptions, forwarding])


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_each_dependency_is_installed_in_its_lowest_version(requirement: str) -> None:
    name, lowest = requirement.partition(",")[0].split(">=")

    assert version(name) == lowest


@STACKS
def test_a_template_is_the_same_as_with_the_newest_versions(build: Callable[[App], Stack]) -> None:
    snapshot = SNAPSHOTS / f"test_a_template_equals_its_snapshot[{build.__name__}].json"

    assert masked(Template.from_stack(build(App())).to_json()) == json.loads(snapshot.read_text(encoding="utf-8"))


def findings(build: Callable[[App], Stack]) -> list[str]:
    """Return what cdk-nag 2 reports, which reads acknowledgments from the resources' metadata."""
    app = App()
    stack = build(app)
    for pack in (AwsSolutionsChecks(), ServerlessChecks()):
        Aspects.of(app).add(pack)  # type: ignore[arg-type] # checked with cdk-nag 3, where a pack is a plugin
    found = Annotations.from_stack(stack)
    entries = [*found.find_error("*", Match.any_value()), *found.find_warning("*", Match.any_value())]
    return [f"{entry.id}: {entry.entry.data}" for entry in entries]


@STACKS
def test_cdk_nag_2_reports_no_unacknowledged_finding(build: Callable[[App], Stack]) -> None:
    assert findings(build) == []


def test_cdk_nag_2_reports_a_finding_that_is_not_acknowledged() -> None:
    def without_tls(app: App) -> Stack:
        stack = Stack(app, "Stack")
        sns.Topic(stack, "Topic")
        return stack

    assert any("AwsSolutions-SNS3" in finding for finding in findings(without_tls))
