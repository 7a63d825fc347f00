"""Credentials of the seller's role in the publishing account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.credentials import RefreshableCredentials

from local.emulated.api_events import form_event
from resolver.composition import compose

if TYPE_CHECKING:
    from pathlib import Path

    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings

ROLE = "arn:aws:iam::444455556666:role/seller"


@pytest.fixture
def resolver(
    endpoints: None,  # noqa: ARG001 - sets the environment
    settings: Settings,
    models: Path,
    dynamodb_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Handler:
    # The DynamoDB server is an STS too, and makes new credentials at each call.
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", dynamodb_url)
    return compose(settings._replace(seller_role_arn=ROLE, seller_role_external_id="id"), models=models)


def keys(marketplace: MarketplaceStandIn) -> list[str | None]:
    return [call.access_key_id for call in marketplace.calls]


def test_the_role_is_assumed_once_for_many_registrations(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    for _ in range(10):
        assert resolver(form_event(marketplace.form(licensed)), None)["statusCode"] == 303

    assert len(set(keys(marketplace))) == 1
    assert "test" not in keys(marketplace)


def test_credentials_are_renewed_before_they_expire(
    resolver: Handler, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(form_event(marketplace.form(licensed)), None)

    # 50 of the 60 minutes later.
    left = vars(RefreshableCredentials)["_seconds_remaining"]
    monkeypatch.setattr(RefreshableCredentials, "_seconds_remaining", lambda self: left(self) - 50 * 60)
    resolver(form_event(marketplace.form(licensed)), None)

    first, second = keys(marketplace)
    assert first != second
