"""The fake table behaves like DynamoDB, against which tests/functional/test_subscriber_store.py runs the same cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.subscription_cases import CASES
from tests.subscription_fakes import FakeTable

if TYPE_CHECKING:
    from tests.subscription_cases import Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_fake_passes_the_cases_for_every_table(case: Case) -> None:
    case(FakeTable())
