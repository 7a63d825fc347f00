"""The outcomes and the log's fields are the same in the errors, the log line, the metrics and the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from constructs_lib.registration import _outcomes
from resolver import errors
from resolver.errors import RegistrationError
from resolver.handler import STATUSES
from resolver.log_line import BUYER_FIELDS, FIELDS, OUTCOMES
from resolver.pages import TEXTS
from resolver.registration import Registration

ROOT = Path(__file__).parents[2]
ERRORS: set[type[RegistrationError]] = {
    error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, RegistrationError)
} - {RegistrationError}
SUCCESSES = {"registered": 303, "registered_again": 303, "claimed": 200}


def documented() -> set[tuple[int, str]]:
    """Return status and outcome of each row of the README's table."""
    readme = (ROOT / "README.md").read_text()
    (table,) = re.findall(r"^\| case \| status \| `outcome` \|\n\|[-|]+\n((?:\|.*\n)+)", readme, re.MULTILINE)
    found = set()
    for row in table.splitlines():
        _, status, outcomes = row.strip("|").rsplit("|", 2)
        found |= {(int(status.split(",")[0].strip(" `")), outcome) for outcome in re.findall(r"`(\w+)`", outcomes)}
    return found


def test_every_outcome_is_a_success_or_the_outcome_of_an_error() -> None:
    assert {error.outcome for error in ERRORS} | SUCCESSES.keys() == {*OUTCOMES}


def test_no_outcome_is_listed_twice() -> None:
    assert len(OUTCOMES) == len({*OUTCOMES})


def test_a_metric_counts_each_outcome_once() -> None:
    counted = [outcome for outcomes in _outcomes.COUNTS.values() for outcome in outcomes]

    assert sorted(counted) == sorted(OUTCOMES)


def test_the_counted_outcomes_can_be_read_without_the_cdk() -> None:
    script = f"import sys, {_outcomes.__name__}; sys.exit('aws_cdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_metric_takes_its_time_from_a_logged_field() -> None:
    assert {*_outcomes.TIMES.values()} <= {*FIELDS}


def test_the_readme_has_every_outcome_with_its_status() -> None:
    assert documented() == {(status, error.outcome) for error, status in STATUSES.items()} | {
        (status, outcome) for outcome, status in SUCCESSES.items()
    }


def test_every_error_has_a_status_and_a_text() -> None:
    assert STATUSES.keys() == TEXTS.keys() == ERRORS


def test_a_buyers_fields_are_the_attributes_of_a_registration() -> None:
    assert sorted(BUYER_FIELDS) == sorted(Registration.__annotations__)


@pytest.mark.parametrize("error", sorted(ERRORS, key=str))
def test_an_error_carries_its_reason(error: type[RegistrationError]) -> None:
    assert (error("Reason").reason, str(error("Reason")), error().reason) == ("Reason", "Reason", None)
