"""The table that the benchmarks print."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, table


@pytest.mark.parametrize(("value", "verdict"), [(0.7, "met"), (0.71, "missed")])
def test_a_goal_that_is_missed_is_called_missed(value: float, verdict: str) -> None:
    figures = [Figure(name="CPU", value=value, at_most=0.7)]

    (row,) = (line for line in table({"Cold start": figures}).splitlines() if "CPU" in line)

    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["≤ 0.70", verdict]
