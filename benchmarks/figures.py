"""What the benchmarks say: figures, some with a goal, as one table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    _Row = tuple[str, ...]

_SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table.

    Attributes:
        name: what was measured, and on what.
        value: the median, where there are several measurements.
        unit: of the value, empty for a ratio or a count.
        low: first quartile of the measurements, None where there is one.
        high: third quartile of the measurements, None where there is one.
        at_most: the goal, None where there is none.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    at_most: float | None = None

    @classmethod
    def of(cls, name: str, measured: Sequence[float], unit: str = "", *, at_most: float | None = None) -> Self:
        """Return the median of two or more measurements, with their quartiles."""
        low, value, high = statistics.quantiles(measured, n=4, method="inclusive")
        return cls(name=name, value=value, unit=unit, low=low, high=high, at_most=at_most)

    @property
    def missed(self) -> bool:
        """Whether there is a goal and the value is beyond it."""
        return self.at_most is not None and self.value > self.at_most


def table(sections: Mapping[str, Iterable[Figure]]) -> str:
    """Return the figures by section as one table of Markdown."""
    rows: list[_Row] = [("", "Measured", "Middle half", "Goal", "")]
    for section, figures in sections.items():
        rows.append((f"**{section}**", "", "", "", ""))
        rows.extend(_row(figure) for figure in figures)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |\n" for row in rows
    )


def _row(figure: Figure) -> _Row:
    spread = goal = verdict = ""
    if figure.low is not None and figure.high is not None:
        spread = f"{_number(figure.low)} to {_number(figure.high)}"
    if figure.at_most is not None:
        goal = f"≤ {_with_unit(figure.at_most, figure.unit)}"
        verdict = "missed" if figure.missed else "met"
    return figure.name, _with_unit(figure.value, figure.unit), spread, goal, verdict


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(0, _SIGNIFICANT_DIGITS - whole)}f}" if value != int(value) else f"{int(value):,}"
