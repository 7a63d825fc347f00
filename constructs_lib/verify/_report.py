"""The table of checks: on the terminal while it goes, and as JSON and Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_JUDGED = {True: "yes", False: "NO", None: "-"}
_HEAD = "| check | expected | seen | holds |\n|---|---|---|---|"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one check.

    Attributes:
        check: its name.
        expected: for a reader.
        seen: for a reader.
        holds: whether that is the same; None if it was only measured, or left out.
        seconds: what it took.
        left_out: whether it did not run.
    """

    check: str
    expected: str
    seen: str
    holds: bool | None
    seconds: float = 0
    left_out: bool = False

    def __str__(self) -> str:
        """Return the row in Markdown."""
        holds = "left out" if self.left_out else _JUDGED[self.holds]
        return "| " + " | ".join(_cell(text) for text in (self.check, self.expected, self.seen, holds)) + " |"


class Report:
    """Prints each row as it comes, and writes all of them each time, so that an interrupted run has its report too.

    Args:
        folder: gets ``report.json`` and ``report.md``.
        out: the terminal.
        about: what the rows are about, such as the account and the region.
    """

    def __init__(self, folder: Path, out: TextIO, about: dict[str, str]) -> None:
        self._folder = folder
        self._out = out
        self._about = about
        self._rows: list[Row] = []
        print(_HEAD, file=out, flush=True)

    @property
    def holds(self) -> bool:
        """Whether nothing was seen that differs."""
        return all(row.holds is not False for row in self._rows)

    def add(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row)
        print(row, file=self._out, flush=True)
        content = {**self._about, "checks": [asdict(row) for row in self._rows]}
        self._write("report.json", json.dumps(content, indent=2) + "\n")
        about = "\n".join(f"- {name}: {value}" for name, value in self._about.items())
        self._write("report.md", "\n".join([about, "", _HEAD, *map(str, self._rows), ""]))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
