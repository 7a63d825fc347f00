"""The table of checks, while it goes and afterwards."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from constructs_lib.verify._report import Report, Row

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    Row(check="alarms", expected="a message", seen="39 messages", holds=True, seconds=12.5),
    Row(check="cold-starts", expected="(measured)", seen="300 ms", holds=None),
    Row(check="upgrade", expected="the same table", seen="no --released was given", holds=None, left_out=True),
]
DIFFERS = Row(check="claim-unsigned", expected="403", seen="a | b\nc", holds=False)
TABLE = """\
| check | expected | seen | holds |
|---|---|---|---|
| alarms | a message | 39 messages | yes |
| cold-starts | (measured) | 300 ms | - |
| upgrade | the same table | no --released was given | left out |
"""


def test_each_row_is_printed_and_written_as_it_comes(tmp_path: Path) -> None:
    out = io.StringIO()
    report = Report(tmp_path, out, {"run": "mr-verify-0", "region": "us-east-1"})
    for row in ROWS:
        report.add(row)

    assert report.holds
    assert out.getvalue() == TABLE
    assert (tmp_path / "report.md").read_text() == f"- run: mr-verify-0\n- region: us-east-1\n\n{TABLE}"
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["region"] == "us-east-1"
    assert [row["check"] for row in content["checks"]] == ["alarms", "cold-starts", "upgrade"]
    assert content["checks"][0]["seconds"] == 12.5

    report.add(DIFFERS)

    assert not report.holds
    assert out.getvalue().endswith("| claim-unsigned | 403 | a \\| b c | NO |\n")
    assert len(json.loads((tmp_path / "report.json").read_text())["checks"]) == 4
