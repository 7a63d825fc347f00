"""SDK behavior that the resolver's speed relies on; if the SDK changes it, one of these tests fails."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import botocore
import pytest
from botocore import httpsession
from botocore.config import Config
from botocore.exceptions import SSLError
from botocore.session import Session
from botocore.validate import ParamValidator

from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, SUBSCRIBER
from local.emulated.api_events import form_event, json_event
from local.emulated.instant_services import services
from resolver import composition
from sdk import session
from sdk.authorities import read_authorities_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.client import BaseClient
    from botocore.model import OperationModel

    from constructs_lib.functions._asset import FunctionAsset
    from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
    from resolver.handler import Handler
    from resolver.settings import Settings

STARTED = """
import gc, json, logging, sys
from botocore import httpsession
import {package}.main
print(json.dumps({{
    "boto3": "boto3" in sys.modules,
    "collects": gc.isenabled(),
    "kept": gc.get_freeze_count() > 0,
    "one context": httpsession.create_urllib3_context() is httpsession.create_urllib3_context(),
    "prints debug": logging.getLogger("botocore").isEnabledFor(logging.DEBUG),
}}))
"""


@dataclass(frozen=True)
class Watched:
    resolver: Handler
    clients: list[BaseClient]

    def on(self, event: str, do: Callable[..., None]) -> None:
        for client in self.clients:
            client.meta.events.register_last(event, do)


@pytest.fixture
def watched(endpoints: None, settings: Settings, models: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:  # noqa: ARG001 - sets the environment
    clients = []

    class WatchedSession(Session):
        def create_client(self, *arguments: Any, **options: Any) -> BaseClient:
            clients.append(super().create_client(*arguments, **options))
            return clients[-1]

    monkeypatch.setattr(session, "Session", WatchedSession)
    every_call = settings._replace(subscriptions=True)
    return Watched(composition.compose(every_call, models=models), clients)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run services that speak TLS, and restore the SDK's way to make contexts after the test."""
    monkeypatch.setattr(httpsession, "create_urllib3_context", httpsession.create_urllib3_context)
    with services(tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment["AWS_ENDPOINT_URL"]


def redeem(endpoint_url: str) -> None:
    client = Session().create_client(
        "meteringmarketplace",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    client.resolve_customer(RegistrationToken="token")  # type: ignore[attr-defined] # clients are made at run time


@pytest.mark.parametrize("function", [None, SUBSCRIBER, PUBLISHER], ids=["resolver", "subscriber", "publisher"])
def test_an_execution_environment_starts_with_as_little_as_possible(
    asset: Path, settings: Settings, function: FunctionAsset | None
) -> None:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(function.folder if function else asset),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PRODUCTS": json.dumps(settings.products),
        "REGISTRATIONS_TABLE": settings.registrations_table,
        "CLAIMS_TABLE": settings.claims_table,
        "CLAIM_TTL_SECONDS": "600",
        "MARKETPLACE_REGION": settings.marketplace_region,
    }

    start = STARTED.format(package=function.package if function else "resolver")
    started = subprocess.run([sys.executable, "-c", start], env=environment, check=True, capture_output=True)

    assert json.loads(started.stdout) == {
        "boto3": False,
        "collects": True,
        "kept": True,
        "one context": True,
        "prints debug": False,
    }


@pytest.mark.parametrize(("once", "times"), [(True, 1), (False, 2)])
def test_the_authorities_are_read_once_for_all_connections(
    tls: str, settings: Settings, models: Path, monkeypatch: pytest.MonkeyPatch, *, once: bool, times: int
) -> None:
    del tls  # for what it sets in the environment
    read = []
    load = ssl.SSLContext.load_verify_locations
    monkeypatch.setattr(
        ssl.SSLContext,
        "load_verify_locations",
        lambda context, *files: read.append(files) or load(context, *files),  # type: ignore[func-returns-value] # for both
    )
    if once:
        read_authorities_once()
    resolver = composition.compose(settings, models=models)

    statuses = [resolver(form_event({"x-amzn-marketplace-token": "token"}), None)["statusCode"] for _ in range(2)]

    assert statuses == [303, 303]
    assert len(read) == times


def test_without_the_sdks_function_each_connection_reads_the_authorities_as_before(
    tls: str, settings: Settings, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tls  # for what it sets in the environment
    with monkeypatch.context() as older:
        older.delattr(httpsession, "create_urllib3_context")
        read_authorities_once()
    resolver = composition.compose(settings, models=models)

    assert resolver(form_event({"x-amzn-marketplace-token": "token"}), None)["statusCode"] == 303


def test_a_service_with_a_certificate_of_an_unknown_authority_is_rejected(
    tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_authorities_once()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(Path(botocore.__file__).with_name("cacert.pem")))

    with pytest.raises(SSLError, match="self-signed"):
        redeem(tls)


def test_a_service_with_a_certificate_for_another_host_is_rejected(tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read_authorities_once()
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest: look_up("127.0.0.1", *rest))
    redeem(tls)

    with pytest.raises(SSLError, match="doesn't match"):
        redeem(tls.replace("127.0.0.1", "elsewhere.example.com"))


def test_the_user_agent_is_built_once_at_the_start(
    watched: Watched, marketplace: MarketplaceStandIn, licensed: MarketplaceCustomer
) -> None:
    sent: list[str] = []

    def note(request: AWSPreparedRequest, **_: object) -> None:
        sent.append(request.headers["User-Agent"])

    watched.on("before-send", note)

    watched.resolver(form_event(marketplace.form(licensed)), None)

    assert [agent.decode() if isinstance(agent, bytes) else agent for agent in sent] == [Session().user_agent()] * 3


def test_the_adapters_send_valid_parameters(
    watched: Watched, marketplace: MarketplaceStandIn, legacy: MarketplaceCustomer
) -> None:
    """The SDK does not check it at run time."""
    reports: dict[str, str] = {}

    def check(params: dict[str, Any], model: OperationModel, **_: object) -> None:
        assert model.input_shape
        report = ParamValidator().validate(params, model.input_shape)
        reports[model.name] = reports.get(model.name, "") + report.generate_report()

    watched.on("before-parameter-build", check)

    location = watched.resolver(form_event(marketplace.form(legacy, free_trial=True)), None)["headers"]["Location"]
    (code,) = parse_qs(urlsplit(location).query)["registration_code"]
    claimed = watched.resolver(json_event("POST /claim", {"registration_code": code}), None)

    assert claimed["statusCode"] == 200
    assert reports == dict.fromkeys(RESOLVER.operations["dynamodb"] | RESOLVER.operations["meteringmarketplace"], "")
