from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from sdk.logs import silence_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("botocore", "urllib3")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(list(logger.handlers), logger.propagate) for logger in loggers]
    disabled = logging.root.manager.disable
    yield
    logging.disable(disabled)
    for logger, (handlers, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate


@pytest.mark.parametrize("name", [f"{name}.part" for name in NAMES])
def test_the_sdk_logs_nothing_not_even_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    silence_sdk()

    logging.getLogger(name).warning("what AWS sent")

    assert caplog.records == []


def test_no_level_lets_debug_lines_through(caplog: pytest.LogCaptureFixture) -> None:
    # First, because pytest undoes what is disabled.
    caplog.set_level(logging.DEBUG, "resolver")
    silence_sdk()

    logging.getLogger("resolver").debug("a body")
    logging.getLogger("resolver").info("a line")

    assert [record.getMessage() for record in caplog.records] == ["a line"]
