"""Write every file that is generated from code without a measurement: part of ``make generate``."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docs import cost, draw_dashboard, signal_tables, write_reference
from docs.markers import between_markers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[1]

GENERATED: Mapping[str, Callable[[str], str]] = {
    "constructs_lib/registration/alarm_name.py": lambda _: signal_tables.alarm_names(),
    "docs/reference.md": lambda _: write_reference.reference(),
    "docs/dashboard.svg": lambda _: draw_dashboard.draw(draw_dashboard.dashboard_body()),
    "docs/cost.md": lambda page: between_markers(page, "cost", cost.table()),
    "README.md": lambda page: between_markers(page, "signals", signal_tables.watched()),
    "docs/runbook.md": lambda page: between_markers(page, "defaults", signal_tables.defaults()),
}
"""Path to a function from old to new content. The order matters: the reference lists the names of the alarms."""


def main() -> None:
    """Write all of them, and print which ones changed."""
    for name, generate in GENERATED.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = generate(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name} has changed")


if __name__ == "__main__":
    main()
