"""Write every file that is generated from code without a measurement: part of ``make generate``."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from constructs_lib.registration._signals import SIGNALS
from constructs_lib.subscriptions._signals import SIGNALS as SUBSCRIPTION_SIGNALS
from docs import checks, cost, draw_dashboard, signal_tables, write_reference
from docs.markers import between_markers
from docs.service_models import FUNCTIONS, service_models

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[1]

_MODELS = service_models()

GENERATED: Mapping[str, Callable[[str], str]] = {
    "constructs_lib/registration/alarm_name.py": lambda _: signal_tables.alarm_names("AlarmName", SIGNALS),
    "constructs_lib/subscriptions/subscription_alarm_name.py": lambda _: signal_tables.alarm_names(
        "SubscriptionAlarmName", SUBSCRIPTION_SIGNALS
    ),
    "docs/reference.md": lambda _: write_reference.reference(),
    "docs/dashboard.svg": lambda _: draw_dashboard.draw(draw_dashboard.dashboard_body()),
    "docs/dashboard-subscriptions.svg": lambda _: draw_dashboard.draw(draw_dashboard.subscriptions_body()),
    "docs/cost.md": lambda page: between_markers(
        between_markers(page, "cost", cost.table()), "subscriptions", cost.subscription_table()
    ),
    "README.md": lambda page: between_markers(page, "signals", signal_tables.watched()),
    "docs/real-account.md": lambda page: between_markers(page, "checks", checks.table()),
    "docs/runbook.md": lambda page: between_markers(page, "defaults", signal_tables.defaults()),
    **{name: lambda _, model=model: model for name, model in _MODELS.items()},  # type: ignore[misc] # mypy sees no default
}
"""Path to a function from old to new content. The order matters: the reference lists the names of the alarms."""


def without_source() -> list[Path]:
    """Return the service models in the assets that are generated no more."""
    return [
        path
        for function in FUNCTIONS
        for path in (function.folder / "models").rglob("*.json")
        if path.relative_to(ROOT).as_posix() not in _MODELS
    ]


def main() -> None:
    """Write all of them, and print which ones changed."""
    for path in without_source():
        path.unlink()
        print(f"{path.relative_to(ROOT)} is gone")
    for name, generate in GENERATED.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = generate(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name} has changed")


if __name__ == "__main__":
    main()
