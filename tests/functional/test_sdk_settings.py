"""The SDK as the seller configures it: the asset's models change nothing of where a call goes or what it says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from sdk.session import create_client, own_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

CALLS: dict[str, Callable[[Any], object]] = {
    "dynamodb": lambda client: client.get_item(TableName="t", Key={"k": {"S": "v"}}),
    "meteringmarketplace": lambda client: client.resolve_customer(RegistrationToken="token"),
    "sts": lambda client: client.assume_role(RoleArn="arn:aws:iam::444455556666:role/r", RoleSessionName="session"),
}
SETTINGS: tuple[dict[str, str], ...] = (
    {},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_ACCOUNT_ID": "111122223333"},
    {"AWS_ACCOUNT_ID": "111122223333", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
    {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
    {"AWS_ENDPOINT_URL": "https://every.example.com"},
    {"AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example.com"},
    {"AWS_ENDPOINT_URL": "https://every.example.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
)
REGIONS = ("us-east-1", "cn-northwest-1", "eusc-de-east-1")
ONE_ATTEMPT = Config(retries={"mode": "standard", "total_max_attempts": 1})


def sent(client: Any, service: str) -> AWSPreparedRequest | str:
    """Return the request that a client would send, or the kind of error that it raises before."""
    requests: list[AWSPreparedRequest] = []

    def stop(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        requests.append(request)
        raise InterruptedError

    client.meta.events.register("before-send", stop)
    try:
        CALLS[service](client)
    except (InterruptedError, BotoCoreError) as error:
        return requests[0] if requests else type(error).__name__
    raise AssertionError("was sent")


@pytest.mark.parametrize(
    ("settings", "region"),
    [*((settings, "eu-west-1") for settings in SETTINGS), *(({}, region) for region in REGIONS)],
    ids=lambda value: value if isinstance(value, str) else " ".join(map("=".join, value.items())),
)
@pytest.mark.parametrize("service", CALLS)
def test_a_call_goes_where_the_stock_sdk_sends_it(
    models: Path, monkeypatch: pytest.MonkeyPatch, service: str, settings: dict[str, str], region: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    stock = Session().create_client(service, region_name=region, config=ONE_ATTEMPT)
    ours = create_client(own_session(models), service, region_name=region, config=ONE_ATTEMPT)

    expected, request = sent(stock, service), sent(ours, service)

    assert getattr(request, "url", request) == getattr(expected, "url", expected)


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("app_id", ["APN_1.1/pc_a290sds6en72spp3ph4q890es$", "plain"])
def test_the_application_id_is_in_the_user_agent_as_the_stock_sdk_writes_it(
    models: Path, monkeypatch: pytest.MonkeyPatch, service: str, app_id: str
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", app_id)
    stock = sent(Session().create_client(service, region_name="us-east-1", config=ONE_ATTEMPT), service)
    ours = sent(create_client(own_session(models), service, region_name="us-east-1", config=ONE_ATTEMPT), service)

    def application(request: Any) -> str:
        agent = request.headers["User-Agent"]
        (part,) = (
            part for part in (agent.decode() if isinstance(agent, bytes) else agent).split() if part[:4] == "app/"
        )
        return str(part)

    assert application(ours) == application(stock)
