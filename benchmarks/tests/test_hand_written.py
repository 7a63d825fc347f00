"""What the construct's synth is measured against is the same, or the measurement says nothing."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from benchmarks.hand_written import registration
from constructs_lib.registration._resolver import RESOLVER

if TYPE_CHECKING:
    from pathlib import Path

# Whoever writes by hand finds words of their own.
WORDING = frozenset({"AlarmDescription", "Description"})


def unworded(part: dict[str, Any]) -> dict[str, Any]:
    return {name: "…" if name in WORDING else value for name, value in part.items()}


def described(template: Template, *, links: int) -> dict[str, list[str]]:
    """Return by type what the resources are, the logical ids in them replaced.

    Args:
        links: 0 to replace them by types, which can be read; else by digests of what the resources are, and of what
            is linked with them over that many others, as two log groups differ in who uses them only.
    """
    resources = json.loads(json.dumps(template.to_json()["Resources"]), object_hook=unworded)
    written = {logical_id: json.dumps(resource, sort_keys=True) for logical_id, resource in resources.items()}
    used = {logical_id: [other for other in resources if f'"{other}"' in text] for logical_id, text in written.items()}

    def renamed(names: dict[str, str]) -> dict[str, str]:
        texts = dict(written)
        for logical_id, others in used.items():
            for other in others:
                texts[logical_id] = texts[logical_id].replace(f'"{other}"', f'"{names[other]}"')
        return texts

    texts = renamed({logical_id: resource["Type"] for logical_id, resource in resources.items()})
    for _ in range(links):
        users = {one: sorted(texts[other] for other in resources if one in used[other]) for one in resources}
        texts = renamed(
            {one: hashlib.sha256(json.dumps([texts[one], users[one]]).encode()).hexdigest() for one in resources}
        )
    by_type: dict[str, list[str]] = {}
    for logical_id, text in texts.items():
        by_type.setdefault(resources[logical_id]["Type"], []).append(text)
    return {name: sorted(texts) for name, texts in by_type.items()}


@pytest.mark.parametrize("links", [0, 5])
def test_what_is_written_by_hand_is_what_the_construct_makes(
    minimal_template: Template, tmp_path: Path, links: int
) -> None:
    RESOLVER.write(tmp_path / "asset")
    stack = Stack(App(), "Seller")
    registration(stack, asset=str(tmp_path / "asset"))

    assert described(Template.from_stack(stack), links=links) == described(minimal_template, links=links)
