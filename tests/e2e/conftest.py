from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.deployment import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.deployment import Deployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    with deployed() as deployment:
        yield deployment


def keys_of(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return STS's credentials under boto3's names."""
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
