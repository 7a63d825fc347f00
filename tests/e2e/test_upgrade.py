"""An upgrade in place: a stack of an earlier release, a registration, and this release deployed over it.

``released/<version>.zip`` has the template and the asset of that version. Each release adds one, and none is ever
changed: ``make record``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from constructs_lib.testing import MarketplaceCustomer
from local.deployment import registration_code
from local.product import PRODUCT_CODE
from tests.e2e.deployments import another
from tests.e2e.released import record

if TYPE_CHECKING:
    from local.deployment import Deployment

RELEASED = Path(record.__file__).parent


@pytest.mark.parametrize("release", sorted(RELEASED.glob("*.zip")), ids=lambda path: path.stem)
def test_a_registration_survives_an_upgrade_in_place(deployment: Deployment, release: Path, tmp_path: Path) -> None:
    with ZipFile(release) as archive:
        archive.extractall(tmp_path)
    before = another(deployment, deployment.aws.deploy(app=str(tmp_path))["Released"])
    customer = MarketplaceCustomer.licensed(PRODUCT_CODE)
    with before.http:
        response = before.set_up_account(before.marketplace.form(customer))
    (registered,) = before.registrations()

    after = another(deployment, deployment.aws.deploy(app="python -m tests.e2e.released.app")["Released"])

    # The same fulfillment URL and the same table, with the registration in it.
    assert (after.api_id, after.table_name) == (before.api_id, before.table_name)
    assert after.registrations() == [registered]
    with after.http:
        claimed = after.claim(registration_code(response.headers["Location"]))
        again = after.set_up_account(after.marketplace.form(customer))
    assert claimed.get("LicenseArn") == customer.license_arn
    assert again.status_code == 303
    (refreshed,) = after.registrations()
    assert refreshed["RegisteredAt"] == registered["RegisteredAt"]
    assert refreshed["LastRegisteredAt"] > registered["LastRegisteredAt"]
