"""The fake store behaves like DynamoDB: tests/functional/test_store.py runs the same cases against DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import FakeStore
from tests.store_cases import CASES

if TYPE_CHECKING:
    from tests.store_cases import Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_fake_passes_the_cases_for_every_store(case: Case) -> None:
    case(FakeStore())
