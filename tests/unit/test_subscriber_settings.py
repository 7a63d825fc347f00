from __future__ import annotations

import pytest

from publisher.settings import Settings as PublishersSettings
from subscriber.settings import Settings

REQUIRED = {"PRODUCTS": '["product"]', "REGISTRATIONS_TABLE": "registrations"}
OPTIONAL = {
    "RECONCILIATION_TABLE": "reconciliation",
    "ENTITLEMENTS_REGION": "eusc-de-east-1",
    "SELLER_ROLE_ARN": "arn:aws:iam::444455556666:role/seller",
    "SELLER_ROLE_EXTERNAL_ID": "external-id",
}


def test_all_settings_are_read_from_the_environment() -> None:
    assert Settings.from_environment(REQUIRED | OPTIONAL) == Settings(
        products=frozenset({"product"}),
        registrations_table="registrations",
        entitlements_region="eusc-de-east-1",
        reconciliation_table="reconciliation",
        seller_role_arn="arn:aws:iam::444455556666:role/seller",
        seller_role_external_id="external-id",
    )


def test_entitlements_are_asked_for_in_the_one_region_that_has_them() -> None:
    settings = Settings.from_environment(REQUIRED)

    assert settings.entitlements_region == "us-east-1"
    assert settings.reconciliation_table is None
    assert (settings.seller_role_arn, settings.seller_role_external_id) == (None, None)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=f"'{name}'"):
        Settings.from_environment({other: value for other, value in REQUIRED.items() if other != name})


def test_the_publisher_puts_on_the_default_bus_unless_another_is_given() -> None:
    given = {"REGISTRATIONS_TABLE": "registrations", "EVENT_BUS": "bus"}

    assert PublishersSettings.from_environment(given) == PublishersSettings(
        registrations_table="registrations", event_bus="bus"
    )
    assert PublishersSettings.from_environment({"REGISTRATIONS_TABLE": "registrations"}).event_bus == "default"
