"""Writes everything in the tree that is made from code and needs no measurement: ``make generate``."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docs import cost, draw_dashboard, signal_tables, write_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[1]


def between_markers(page: str, name: str, content: str) -> str:
    """Return a page with what stands between its markers of that name replaced.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- /{name} -->\n"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"no markers {begin.strip()} and {end.strip()}")
    return f"{before}{begin}{content}{end}{after}"


GENERATED: Mapping[str, Callable[[str], str]] = {
    "constructs_lib/registration/alarm_name.py": lambda _: signal_tables.alarm_names(),
    "docs/reference.md": lambda _: write_reference.reference(),
    "docs/dashboard.svg": lambda _: draw_dashboard.draw(draw_dashboard.dashboard_body()),
    "docs/cost.md": lambda page: between_markers(page, "cost", cost.table()),
    "README.md": lambda page: between_markers(page, "signals", signal_tables.watched()),
    "docs/runbook.md": lambda page: between_markers(page, "defaults", signal_tables.defaults()),
}
"""Path to what makes its new content from its old one; the order matters, as the reference lists the alarms' names."""


def main() -> None:
    """Write all of them, and say which changed."""
    for name, generate in GENERATED.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = generate(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name} has changed")


if __name__ == "__main__":
    main()
