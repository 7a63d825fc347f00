"""The table that the benchmarks print."""

from __future__ import annotations

import pytest

from benchmarks.measurements import Measurement, table


@pytest.mark.parametrize(("value", "verdict"), [(0.7, "met"), (0.71, "missed")])
def test_a_value_above_its_goal_is_marked_as_missed(value: float, verdict: str) -> None:
    measurements = [Measurement(name="CPU", value=value, at_most=0.7)]

    (row,) = (line for line in table({"Cold start": measurements}).splitlines() if "CPU" in line)

    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["≤ 0.70", verdict]
