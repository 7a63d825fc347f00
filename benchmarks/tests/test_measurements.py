"""The table that the benchmarks print."""

from __future__ import annotations

import pytest

from benchmarks.measurements import Measurement, table


@pytest.mark.parametrize(("value", "verdict"), [(0.7, "met"), (0.71, "missed")])
def test_a_value_above_its_goal_is_marked_as_missed(value: float, verdict: str) -> None:
    measurements = [Measurement(name="CPU", value=value, at_most=0.7)]

    (row,) = (line for line in table({"Cold start": measurements}).splitlines() if "CPU" in line)

    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["≤ 0.70", verdict]


def test_several_samples_give_their_median_and_quartiles_and_one_gives_itself() -> None:
    assert Measurement.of("CPU", [1, 2, 3, 4, 5]) == Measurement(name="CPU", value=3, low=2, high=4)
    assert Measurement.of("CPU", [2], "ms", at_most=3) == Measurement(name="CPU", value=2, unit="ms", at_most=3)
