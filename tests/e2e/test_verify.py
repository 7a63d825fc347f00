"""The program that checks a real account, run as a seller runs it, against the local AWS."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from local.local_aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from pathlib import Path

    from local.deployment import Deployment


def test_it_deploys_checks_and_removes(deployment: Deployment, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "constructs_lib.verify", "--account", ACCOUNT, "--region", REGION, "--yes"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        env=deployment.aws.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    (report,) = tmp_path.glob("*/report.json")
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["checks"]
