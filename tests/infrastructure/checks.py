"""What every template is checked with: snapshots that hide hashes, cdk-nag and cfn-lint."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, NagPack
from cfnlint import ManualArgs, lint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def masked(template: Any) -> Any:
    """Return a template without the assets' hashes, which change with botocore and say nothing in a diff."""
    return json.loads(re.sub(r"[0-9a-f]{64}", "HASH", json.dumps(template)))


def synthesize_with_cdk_nag(
    build: Callable[[App], object], folder: Path, packs: Sequence[type[NagPack]] = (AwsSolutionsChecks,)
) -> None:
    """Synthesize an app; an unacknowledged finding of cdk-nag's packs of rules is an error."""
    app = App(outdir=str(folder), context={"@aws-cdk/core:validateAgainstDefaultRules": True})
    build(app)
    Validations.of(app).add_plugins(*(pack(app) for pack in packs))

    app.synth()

    assert (folder / "validation-report.json").exists()


def cfn_lint_findings(template: Any) -> list[str]:
    """Return cfn-lint's findings in a template."""
    # W3005: the CDK adds a redundant dependency of a function on its role.
    return [str(finding) for finding in lint(json.dumps(template), config=ManualArgs(ignore_checks=["W3005"]))]
