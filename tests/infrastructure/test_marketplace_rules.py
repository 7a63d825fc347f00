"""The documentation and the examples do not contradict AWS Marketplace: a registration is no payment and no access."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import cost
from examples.reacting.reactor.handler import react
from resolver import http_event

ROOT = Path(cost.__file__).resolve().parent.parent
WRITTEN = [
    *(ROOT / name for name in ("README.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.py")),
    *sorted((ROOT / "local").glob("*.py")),
]
SUBSCRIPTIONS = (ROOT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
GOING_LIVE = (ROOT / "docs" / "going-live.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_says_that_a_registered_buyer_has_paid_or_has_access(path: Path) -> None:
    text = " ".join(path.read_text(encoding="utf-8").split())

    assert not re.search(r"\b(has|have|already) paid\b|\bpaying (buyer|customer)\b|access is ready as soon as", text)


def test_access_is_given_and_taken_on_the_events_of_the_subscription() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in SUBSCRIPTIONS.splitlines() if line[:2] == "| "]
    actions = {row[0]: row[2] for row in rows if len(row) == 3}

    assert "without access" in actions["`Buyer Registered`"]
    assert actions["`Subscription Ready`"] == "**give access**"
    assert actions["`Subscription Ended`"].startswith("**take access away**")


def test_the_reacting_example_does_not_invite_access() -> None:
    messages: list[str] = []
    image = {"CustomerAWSAccountId": {"S": "111122223333"}, "ProductCode": {"S": "p"}}

    react([{"dynamodb": {"NewImage": image}}], publish=messages.append)

    (message,) = messages
    assert "Do not grant access before its License Updated event" in message


def test_the_checklist_has_the_guidelines_for_the_product_itself() -> None:
    items = [" ".join(item.split()) for item in GOING_LIVE.split("- [ ] ")[1:]]

    for words in (
        ("confirmation", "next steps"),
        ("status of their subscription", "usage"),
        ("free mail providers", "not confirmed"),
        ("other cloud platforms",),
        ("about one hour", "License Deprovisioned"),
        ("License Updated", "not at the registration"),
    ):
        assert [item for item in items if all(word in item for word in words)], words


def test_security_lists_what_is_read_of_a_request() -> None:
    section = SECURITY.split("\n## What is read of a request\n")[1].split("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    headers = set()
    for path in (ROOT / "lambda_src" / "resolver").glob("*.py"):
        headers |= set(re.findall(r'header\(event, "([^"]+)"\)', path.read_text(encoding="utf-8")))

    read = {name for name in re.findall(r"`([a-z_-]+)`", table) if name != "free-trial"}

    assert read == http_event._FIELDS | headers
