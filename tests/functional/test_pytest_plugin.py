"""The fixtures of the test kit, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from constructs_lib import testing

ROOT = Path(__file__).parents[2]
PLUGIN = "constructs_lib.testing.pytest_plugin"

pytest_plugins = ["pytester"]

TESTS = """
import os

import boto3

from constructs_lib.claims import ClaimClient
from constructs_lib.testing import MarketplaceCustomer

CUSTOMER = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")


def test_marketplace(marketplace_stand_in):
    client = boto3.client("meteringmarketplace")
    response = client.resolve_customer(RegistrationToken=marketplace_stand_in.mint(CUSTOMER))
    assert response["ProductCode"] == CUSTOMER.product_code


def test_entitlements(marketplace_stand_in):
    marketplace_stand_in.subscribe(CUSTOMER, entitlements={"users": 10})
    client = boto3.client("marketplace-entitlement", region_name="us-east-1")
    (entitlement,) = client.get_entitlements(ProductCode=CUSTOMER.product_code)["Entitlements"]
    assert entitlement["Value"] == {"IntegerValue": 10}


def test_agreements(marketplace_stand_in):
    marketplace_stand_in.subscribe(CUSTOMER)
    client = boto3.client("marketplace-agreement", region_name="us-east-1")
    assert client.describe_agreement(agreementId=CUSTOMER.agreement_id)["status"] == "ACTIVE"


def test_claims(claim_stand_in):
    with ClaimClient(claim_stand_in.claim_url) as client:
        assert client.claim(claim_stand_in.mint(CUSTOMER))["ProductCode"] == CUSTOMER.product_code
    assert [call.region for call in claim_stand_in.calls] == [os.environ["REGION"]]


def test_both(marketplace_stand_in, claim_stand_in):
    assert marketplace_stand_in.endpoint_url != claim_stand_in.claim_url


def test_nothing_is_left_behind():
    assert not [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_MARKETPLACE")]
    assert os.environ["AWS_PROFILE"] == "missing"
"""


@pytest.mark.parametrize(("region", "expected"), [(None, "us-east-1"), ("eu-central-1", "eu-central-1")])
def test_the_fixtures_run_stand_ins_for_any_configuration_of_the_machine(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, region: str | None, expected: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_PROFILE": "missing",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "REGION": expected,
        **({"AWS_REGION": region} if region else {}),
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(TESTS)

    # The old SDK is older than the deprecation; another test of this process may have imported the plugin.
    ignored = ("ignore:datetime.datetime.utcnow:DeprecationWarning", "ignore::pytest.PytestAssertRewriteWarning")
    result = pytester.runpytest_inprocess("-p", PLUGIN, "-Werror", *(f"-W{warning}" for warning in ignored))

    result.assert_outcomes(passed=6)


class FakeLocalAws:
    """Takes the local AWS's place: tests/e2e/test_local_aws_fixture.py has the real one."""

    def __init__(self, _folder: Path, **given: Path) -> None:
        self.given = given

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("setting", [None, "tools/python"])
def test_the_local_aws_runs_in_the_environment_that_the_configuration_names(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    monkeypatch.setattr(testing, "LocalAws", FakeLocalAws, raising=False)
    python = pytester.path / (setting or ".local-aws/bin/python")
    if setting:
        pytester.makeini(f"[pytest]\nmarketplace_local_aws_python = {setting}")
    pytester.makepyfile(
        f"""
        from pathlib import Path

        def test_local_aws(local_aws):
            assert local_aws.given == {{"project": Path({str(pytester.path)!r}), "python": Path({str(python)!r})}}
        """
    )

    without = pytester.runpytest_inprocess("-p", PLUGIN)
    python.parent.mkdir(parents=True)
    python.touch()
    installed = pytester.runpytest_inprocess("-p", PLUGIN)

    without.assert_outcomes(errors=1)
    without.stdout.fnmatch_lines([f"there is no AWS emulator at {python}; to install it: *"])
    installed.assert_outcomes(passed=1)


def test_loading_the_plugin_costs_nothing() -> None:
    script = (
        f"import pytest, sys; before = {{*sys.modules}}; import {PLUGIN}; "
        "print(*sorted({name for name in {*sys.modules} - before if not name.startswith('encodings')}))"
    )

    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["constructs_lib", "constructs_lib.testing", PLUGIN]
