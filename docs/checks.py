"""The table of the checks that ``make verify`` runs."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from constructs_lib.verify._checks import CHECKS

if TYPE_CHECKING:
    from constructs_lib.verify._subject import Subject

# Everything is given, so that what is left out is left out for this reason alone.
_LOCAL = cast("Subject", SimpleNamespace(local=True, domain="given", released="given"))


def table() -> str:
    """Return the table in Markdown."""
    rows = [
        f"| `{check.name}` | {check.expected} | {check.seconds / 60:g} min | {_locally(check.left_out(_LOCAL))} |"
        for check in CHECKS
    ]
    return "\n".join(["| check | expected | limit | on the local AWS |", "| --- | --- | ---: | --- |", *rows, ""])


def _locally(reason: str) -> str:
    return f"left out: {reason}" if reason else "runs"
