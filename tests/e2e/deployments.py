"""Deployments in the tests' one local AWS, and what a caller does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


def another(deployment: Deployment, outputs: Mapping[str, str]) -> Deployment:
    """Return the deployment of another stack, with its outputs, next to the one of `app.py`."""
    return Deployment(
        aws=deployment.aws,
        marketplace=deployment.marketplace,
        api_id=outputs["ApiId"],
        table_name=outputs["TableName"],
    )


def register_for_json(deployment: Deployment, form: Mapping[str, str]) -> requests.Response:
    """Do what the browser does when the buyer presses the button, but ask for JSON."""
    return deployment.http.post(
        deployment.fulfillment_url, data=form, headers={"Accept": "application/json"}, timeout=60
    )
