"""Measurements, some with a goal, as one table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    _Row = tuple[str, ...]

_SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row of the table.

    Attributes:
        name: what was measured, and on what.
        value: the median, if there are several samples.
        unit: of the value, empty for a ratio or a count.
        low: first quartile of the samples, None for a single one.
        high: third quartile of the samples, None for a single one.
        at_most: the goal, None without one.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    at_most: float | None = None

    @classmethod
    def of(cls, name: str, samples: Sequence[float], unit: str = "", *, at_most: float | None = None) -> Self:
        """Return the median of the samples, with their quartiles if there are several."""
        if len(samples) == 1:
            return cls(name=name, value=samples[0], unit=unit, at_most=at_most)
        low, value, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(name=name, value=value, unit=unit, low=low, high=high, at_most=at_most)

    @property
    def missed(self) -> bool:
        """Whether there is a goal that the value exceeds."""
        return self.at_most is not None and self.value > self.at_most


def table(sections: Mapping[str, Iterable[Measurement]]) -> str:
    """Return the measurements by section as one table in Markdown."""
    rows: list[_Row] = [("", "Measured", "Middle half", "Goal", "")]
    for section, measurements in sections.items():
        rows.append((f"**{section}**", "", "", "", ""))
        rows.extend(_row(measurement) for measurement in measurements)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |\n" for row in rows
    )


def _row(measurement: Measurement) -> _Row:
    spread = goal = verdict = ""
    if measurement.low is not None and measurement.high is not None:
        spread = f"{_number(measurement.low)} to {_number(measurement.high)}"
    if measurement.at_most is not None:
        goal = f"≤ {_with_unit(measurement.at_most, measurement.unit)}"
        verdict = "missed" if measurement.missed else "met"
    return measurement.name, _with_unit(measurement.value, measurement.unit), spread, goal, verdict


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(0, _SIGNIFICANT_DIGITS - whole)}f}" if value != int(value) else f"{int(value):,}"
