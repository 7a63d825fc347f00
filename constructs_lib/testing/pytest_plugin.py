"""Fixtures of the test kit; pytest has them wherever this library is installed.

Nothing more of the library is imported before a test asks for a fixture.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs_lib.testing import ClaimStandIn, LocalAws, MarketplaceStandIn

_EMULATOR = "marketplace_local_aws_python"
# The emulator pins its SDK exactly, so it cannot be in the environment of the project.
_INSTALL = "python3 -m venv .local-aws && .local-aws/bin/pip install ministack==1.5.33 boto3==1.43.106"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of the fixture ``local_aws``."""
    parser.addini(_EMULATOR, "Python of the environment that has the AWS emulator", default=".local-aws/bin/python")


@pytest.fixture
def marketplace_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[MarketplaceStandIn]:
    """A running Marketplace stand-in, to which every AWS SDK in the test sends its calls of AWS Marketplace."""
    from constructs_lib.testing import MarketplaceStandIn  # noqa: PLC0415 - see the module

    _isolate(monkeypatch)
    with MarketplaceStandIn() as stand_in:
        for service in ("METERING", "ENTITLEMENT_SERVICE", "AGREEMENT"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_MARKETPLACE_{service}", stand_in.endpoint_url)
        yield stand_in


@pytest.fixture
def claim_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClaimStandIn]:
    """A running claim stand-in, whose ``claim_url`` the test gives to its backend."""
    from constructs_lib.testing import ClaimStandIn  # noqa: PLC0415 - see the module

    _isolate(monkeypatch)
    with ClaimStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def local_aws(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A running local AWS, to which a test deploys the CDK app in pytest's root folder."""
    project = pytestconfig.rootpath
    python = project / str(pytestconfig.getini(_EMULATOR))
    if not python.exists():
        pytest.fail(f"there is no AWS emulator at {python}; to install it: {_INSTALL}", pytrace=False)
    from constructs_lib.testing import LocalAws  # noqa: PLC0415 - see the module

    with LocalAws(tmp_path_factory.mktemp("local-aws"), project=project, python=python) as running:
        yield running


def _isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDKs find dummy credentials and a region, and nothing of the machine's own configuration."""
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
    not_proxied = ",".join(filter(None, [os.environ.get("no_proxy"), os.environ.get("NO_PROXY"), "127.0.0.1"]))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "no_proxy": not_proxied,
        "NO_PROXY": not_proxied,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
