"""Checks of deployments: the first one, the same again, and over an earlier release."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from zipfile import ZipFile

from constructs_lib.verify._check import Check, Result, compared
from constructs_lib.verify._names import DEPLOYMENT, RELEASED, RELEASED_PRODUCT_CODE

if TYPE_CHECKING:
    from pathlib import Path

    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

_MADE = "CREATE_COMPLETE"
_RECORDED = "Released"
"""The name of the stack in a recorded release."""


def _statuses(subject: Subject) -> dict[str, str]:
    cloudformation = subject.client("cloudformation")
    return {
        name: cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        for name in subject.stacks.values()
    }


def _deployed(subject: Subject, _deadline: Deadline) -> Result:
    pages = subject.client("logs").get_paginator("describe_metric_filters")
    wrong = [f"{name}: {status}" for name, status in _statuses(subject).items() if status != _MADE]
    filters = 0
    for end, name in subject.stacks.items():
        wanted = len(subject.resources("AWS::Logs::MetricFilter", end))
        groups = subject.resources("AWS::Logs::LogGroup", end).values()
        found = sum(len(list(pages.paginate(logGroupName=group).search("metricFilters[]"))) for group in groups)
        if found != wanted:
            wrong.append(f"{name}: {found} of {wanted} metric filters")
        filters += found
    return compared(wrong, f"{len(subject.stacks)} stacks, {filters} metric filters")


def _redeployed(subject: Subject, _deadline: Deadline) -> Result:
    subject.cdk.deploy()
    wrong = [f"{name}: {status}" for name, status in _statuses(subject).items() if status != _MADE]
    return compared(wrong, f"{len(subject.stacks)} stacks as they were")


def unpacked(release: Path, folder: Path, stack: str) -> Path:
    """Unpack a recorded release as one that has another name and can be deleted whole; return its folder."""
    with ZipFile(release) as archive:
        archive.extractall(folder)
    template = folder / f"{_RECORDED}.template.json"
    changed = json.loads(template.read_text(encoding="utf-8"))
    for resource in changed["Resources"].values():
        resource.pop("DeletionPolicy", None)
        resource.pop("UpdateReplacePolicy", None)
        for replica in resource.get("Properties", {}).get("Replicas", ()):
            replica["DeletionProtectionEnabled"] = False
    before = hashlib.sha256(template.read_bytes()).hexdigest()
    template.write_text(json.dumps(changed, indent=1), encoding="utf-8")
    after = hashlib.sha256(template.read_bytes()).hexdigest()
    # A template is uploaded under its hash, and not again if it is there.
    for name in ("manifest.json", f"{_RECORDED}.assets.json"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["artifacts"][_RECORDED]["properties"]["stackName"] = stack
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _upgraded(subject: Subject, _deadline: Deadline) -> Result:
    assert subject.released  # noqa: S101 - left out otherwise
    stack = f"{subject.name}-{RELEASED}"
    app = unpacked(subject.released, subject.cdk.folder / RELEASED, stack)
    before = subject.cdk.deploy(str(app))[stack]
    dynamodb = subject.client("dynamodb")
    item = {
        "CustomerAWSAccountId": {"S": "000000000003"},
        "ProductLicense": {"S": f"{RELEASED_PRODUCT_CODE}#"},
        "ProductCode": {"S": RELEASED_PRODUCT_CODE},
        "RegisteredAt": {"S": "2026-01-01T00:00:00+00:00"},
    }
    dynamodb.put_item(TableName=before["TableName"], Item=item)
    after = subject.cdk.deploy(**{RELEASED: "true"})[stack]
    kept = dynamodb.scan(TableName=after["TableName"], ConsistentRead=True)["Items"]
    wrong = [
        f"{name}: {before[name]} has become {after[name]}"
        for name in ("ApiId", "TableName")
        if before[name] != after[name]
    ]
    return compared(wrong if kept == [item] else [*wrong, f"{len(kept)} registrations"], "the same API, table and item")


FIRST = (
    Check(
        name=DEPLOYMENT,
        expected="several stacks deployed at once: all are created, with every metric filter",
        seconds=60,
        run=_deployed,
    ),
)

LAST = (
    Check(
        name="redeployment",
        expected="deploying the same again changes nothing",
        seconds=1800,
        run=_redeployed,
    ),
    Check(
        name="upgrade",
        expected="deployed over a recorded release, this one keeps the API, the table and a registration",
        seconds=1800,
        run=_upgraded,
        left_out=lambda subject: "" if subject.released else "no --released was given",
    ),
)
