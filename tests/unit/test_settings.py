from __future__ import annotations

from datetime import timedelta

import pytest

from resolver.settings import Settings

REQUIRED = {
    "PRODUCTS": '{"product": "https://app.example.com"}',
    "REGISTRATIONS_TABLE": "registrations",
    "CLAIMS_TABLE": "claims",
    "CLAIM_TTL_SECONDS": "90",
    "MARKETPLACE_REGION": "us-east-1",
}
OPTIONAL = {
    "SELLER_ROLE_ARN": "arn:aws:iam::444455556666:role/seller",
    "SELLER_ROLE_EXTERNAL_ID": "external-id",
    "SUPPORT_URL": "mailto:support@example.com",
    "LOGIN_URL": "https://app.example.com/login",
    "SUBSCRIPTIONS": "true",
}


def test_all_settings_are_read_from_the_environment() -> None:
    assert Settings.from_environment(REQUIRED | OPTIONAL) == Settings(
        products={"product": "https://app.example.com"},
        registrations_table="registrations",
        claims_table="claims",
        claim_ttl=timedelta(seconds=90),
        marketplace_region="us-east-1",
        seller_role_arn="arn:aws:iam::444455556666:role/seller",
        seller_role_external_id="external-id",
        support_url="mailto:support@example.com",
        login_url="https://app.example.com/login",
        subscriptions=True,
    )


def test_what_is_not_set_is_none() -> None:
    settings = Settings.from_environment(REQUIRED)

    optional = [settings.seller_role_arn, settings.seller_role_external_id, settings.support_url, settings.login_url]
    assert optional == [None] * 4
    assert settings.subscriptions is False


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=f"'{name}'"):
        Settings.from_environment({other: value for other, value in REQUIRED.items() if other != name})
