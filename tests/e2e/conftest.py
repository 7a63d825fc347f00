from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.deployment import deployed
from local.landing_page import LandingPage
from tests.e2e.sellers_environment import build, synth_in_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.deployment import Deployment


@pytest.fixture(scope="session")
def landing_page() -> Iterator[LandingPage]:
    with LandingPage() as landing_page:
        yield landing_page


@pytest.fixture(scope="session")
def deployment(landing_page: LandingPage) -> Iterator[Deployment]:
    """The app with the landing page on this machine, deployed once for all tests."""
    with deployed(landing_page=landing_page.url) as deployment:
        # Created now, while there is one thread: two claims at once would create the backend's role twice.
        assert deployment.claims
        landing_page.start(claim=deployment.claim, certificate=deployment.aws.certificate, key=deployment.aws.key)
        yield deployment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def from_checkout(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template of the minimal seller from the checkout."""
    return synth_in_checkout(tmp_path_factory.mktemp("checkout"))
