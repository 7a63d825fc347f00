"""The program that checks a real account, run as a seller runs it, on the local AWS."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.local_aws import ACCOUNT, REGION
from tests.e2e.released import record

if TYPE_CHECKING:
    from local.deployment import Deployment

RELEASE = Path(record.__file__).with_name("0.1.0.zip")
HOLDS = {
    "deployment",
    "fulfillment-page",
    "made-up-token",
    "outcome-line",
    "claim-unsigned",
    "claim-not-granted",
    "claim-unknown-code",
    "alarms",
    "role-policies",
    "subscription-event",
    "subscription-rule",
    "entitlements",
    "reconciliation",
    "redeployment",
    "upgrade",
    "nothing-left",
}
LEFT_OUT = {
    "metric-filters": "the local AWS evaluates no metric filters",
    "cold-starts": "the local AWS writes no platform.report",
    "outcome-counted": "the local AWS evaluates no metric filters",
    "half-a-throttle": "the local AWS keeps no throttle",
    "throttled-requests": "the local AWS throttles nothing",
    "throttled-routes": "the local AWS throttles nothing",
    "throttled-function": "the local AWS throttles nothing",
    "claim-wrongly-signed": "the local AWS checks no signature",
    "claim-custom-domain": "the local AWS has no custom domains",
    "insights-queries": "the local AWS has no CloudWatch Logs Insights",
}


def start(deployment: Deployment, folder: Path, *arguments: str, account: str = ACCOUNT) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "constructs_lib.verify", "--account", account, "--region", REGION, "--yes"]
    return subprocess.Popen(
        [*command, "--output", str(folder), *arguments],
        env=deployment.aws.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stacks(deployment: Deployment) -> set[str]:
    found = deployment.aws.client("cloudformation").describe_stacks()["Stacks"]
    names = {stack["StackName"] for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"}
    return {name for name in names if name.startswith("mr-verify-")}


def test_the_local_aws_holds_what_it_can_show_and_the_rest_is_left_out(deployment: Deployment, tmp_path: Path) -> None:
    with start(deployment, tmp_path, "--released", str(RELEASE)) as program:
        printed, errors = program.communicate(timeout=500)

    (report,) = tmp_path.glob("*/report.json")
    rows: list[dict[str, Any]] = json.loads(report.read_text())["checks"]
    assert {row["check"]: row["seen"] for row in rows if row["holds"] is False} == {}, errors
    assert {row["check"] for row in rows if row["holds"]} == HOLDS
    assert {row["check"]: row["seen"] for row in rows if row["left_out"]} == LEFT_OUT
    assert [row["check"] for row in rows if row["holds"] is None and not row["left_out"]] == ["runtime-versions"]
    assert program.returncode == 0
    assert "| alarms | " in printed
    assert not list(tmp_path.glob("*/made.json"))
    assert stacks(deployment) == set()


def test_another_account_than_the_one_that_was_named_is_not_touched(deployment: Deployment, tmp_path: Path) -> None:
    with start(deployment, tmp_path, account="111122223333") as program:
        _, errors = program.communicate(timeout=60)

    assert program.returncode == 2
    assert errors == f"verify: --account: 111122223333 was named, but the credentials belong to {ACCOUNT}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_killed_program_leaves_stacks_that_clean_removes(deployment: Deployment, tmp_path: Path) -> None:
    with start(deployment, tmp_path) as program:
        deadline = time.monotonic() + 120
        while len(stacks(deployment)) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        program.send_signal(signal.SIGKILL)
    assert len(stacks(deployment)) == 3

    with start(deployment, tmp_path, "--clean") as program:
        printed, errors = program.communicate(timeout=120)

    assert program.returncode == 0, errors
    assert "nothing left" in printed
    assert stacks(deployment) == set()
