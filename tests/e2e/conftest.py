from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.deployment import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.deployment import Deployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    with deployed() as deployment:
        yield deployment
