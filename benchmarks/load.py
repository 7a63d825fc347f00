"""Many buyers at once on the local AWS, then as many in one execution environment; no registration may be lost.

The response times of concurrent requests say little about the resolver: the buyers, the local AWS and all execution
environments share this machine's cores, so each request waits for the others. In the second part, none has to wait.

The local AWS runs concurrent requests in separate execution environments, so none serves more than a few hundred. The
second part shows how the memory of a long-lived one develops. Memory is read from /proc, which requires Linux.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import ssl
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from benchmarks.asset import copy_asset
from benchmarks.measurements import Measurement
from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.testing import MarketplaceCustomer
from local.deployment import deployed, registration_code
from local.emulated.api_events import BROWSER, form_event
from local.emulated.lambda_runtime import LambdaRuntime
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from local.deployment import Deployment

GROWTH_AT_MOST = 2
"""Percent. Settling in the first 2,000 requests takes less than one; a leak of 100 bytes per request adds three."""

# Fifty interpreters that start at once on two busy cores take a quarter of a minute.
_TIMEOUT_SECONDS = 120

# The first registration of an execution environment opens its connections. If fifty did so at once, they would wait for
# this machine longer than the resolver waits for DynamoDB, which does not share a machine with it on AWS.
_RAMP_SECONDS = 0.1

_TIMES = ("RegisteredAt", "LastRegisteredAt")


class LoadError(Exception):
    """A registration was lost, wrong or failed. The message has only counts: tokens and codes are secrets."""


@dataclass(frozen=True, kw_only=True)
class _Buyer:
    customer: MarketplaceCustomer
    form: dict[str, str] = field(repr=False)

    @property
    def registration(self) -> dict[str, str]:
        """The expected item, without the times."""
        attributes = {
            "CustomerAWSAccountId": self.customer.customer_aws_account_id,
            "ProductLicense": f"{PRODUCT_CODE}#{self.customer.license_arn or ''}",
            "ProductCode": PRODUCT_CODE,
            "LicenseArn": self.customer.license_arn,
            "AgreementId": self.customer.agreement_id,
            "CustomerIdentifier": self.customer.customer_identifier,
        }
        return {name: value for name, value in attributes.items() if value is not None}


class _Redirect(NamedTuple):
    code_hash: str
    milliseconds: float


class _AtOnce(NamedTuple):
    redirects: Sequence[_Redirect]
    seconds: float
    growth: float
    """Percent, of the memory of all execution environments."""


class _OneByOne(NamedTuple):
    redirects: Sequence[_Redirect]
    growth: float
    """Percent, of the execution environment's memory."""


def measure(*, registrations: int, at_once: int) -> list[Measurement]:
    """Deploy, register all buyers, and then check every one of them.

    Args:
        registrations: how many come at once, and then one after another; with few, memory has not settled yet.
        at_once: the number of concurrent requests.

    Raises:
        LoadError: a buyer was not redirected, or a stored item is missing or wrong.
        LocalAwsError: the local AWS did not start, or the deployment failed.
    """
    with deployed() as deployment:
        function = _only_resolver(deployment)
        buyers = [_buyer(deployment, number) for number in range(2 * registrations)]
        environments = _start_environments(deployment, at_once)
        crowd = _register_at_once(deployment, buyers[:registrations], environments, at_once)
        others = _register_one_by_one(deployment, function, buyers[registrations:])
        calls = _check(deployment, function, buyers, [*crowd.redirects, *others.redirects])
    times, times_alone = ([one.milliseconds for one in part.redirects] for part in (crowd, others))
    percentiles = statistics.quantiles(times, n=100, method="inclusive")
    together, alone = f"{at_once} at once", "One execution environment"
    growth = f"memory growth, registration {_tenth(registrations):,} to {registrations:,}"
    return [
        # Anything above 0 raises LoadError.
        Measurement(name="Registrations lost, wrong or failed", value=0, at_most=0),
        Measurement(name="Calls to Marketplace per registration", value=calls / len(buyers)),
        Measurement(name=f"{together}: registrations", value=registrations / crowd.seconds, unit="/s"),
        *(
            Measurement(
                name=f"{together}: p{percent} for the buyer, mostly the local AWS's own", value=percentile, unit="ms"
            )
            for percent, percentile in enumerate(percentiles, start=1)
            if percent in {50, 90, 99}
        ),
        Measurement(name=f"{together}: maximum for the buyer", value=max(times), unit="ms"),
        Measurement(name=f"{together}: {growth}", value=crowd.growth, unit="%", at_most=GROWTH_AT_MOST),
        Measurement.of(f"{alone}: a registration, AWS calls included", times_alone, "ms"),
        Measurement(name=f"{alone}: {growth}", value=others.growth, unit="%", at_most=GROWTH_AT_MOST),
    ]


def _only_resolver(deployment: Deployment) -> Mapping[str, Any]:
    """Return the resolver's configuration, and keep the other functions from running on the cores that it needs."""
    client = deployment.aws.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    handler = f"{RESOLVER.package}.main.handler"
    function: Mapping[str, Any]
    (function,) = (each for each in client.list_functions()["Functions"] if each["Handler"] == handler)
    return function


def _buyer(deployment: Deployment, number: int) -> _Buyer:
    make = MarketplaceCustomer.legacy if number % 2 else MarketplaceCustomer.licensed
    customer = make(PRODUCT_CODE, customer_aws_account_id=f"{number:012}")
    return _Buyer(customer=customer, form=deployment.marketplace.form(customer))


def _connection(deployment: Deployment) -> HTTPSConnection:
    trust = ssl.create_default_context(cafile=deployment.aws.certificate)
    location = urlsplit(deployment.fulfillment_url)
    return HTTPSConnection(f"{location.hostname}", location.port, context=trust, timeout=_TIMEOUT_SECONDS)


def _start_environments(deployment: Deployment, count: int) -> Sequence[int]:
    """Start up to ``count`` execution environments before the clock starts, and return their processes.

    Lambda starts each on a machine of its own; here they start on the cores that serve the requests.
    """
    path = urlsplit(deployment.fulfillment_url).path
    connected = threading.Barrier(count, timeout=_TIMEOUT_SECONDS)

    def look(_: int) -> int:
        with closing(_connection(deployment)) as connection:
            connection.connect()
            connected.wait()
            connection.request("GET", path)
            return connection.getresponse().status

    with ThreadPoolExecutor(count) as pool:
        _demand(HTTPStatus.OK, pool.map(look, range(count)))
    environments = [
        int(command.parent.name)
        for command in Path("/proc").glob("[0-9]*/cmdline")
        if f"{deployment.aws.folder}/ministack-lambda-".encode() in _read(command)
    ]
    if not environments:
        raise LoadError("/proc shows no execution environment; this requires Linux")
    return environments


def _register_at_once(
    deployment: Deployment, buyers: Sequence[_Buyer], environments: Sequence[int], at_once: int
) -> _AtOnce:
    path = urlsplit(deployment.fulfillment_url).path
    headers = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
    numbers = itertools.count()
    mine = threading.local()
    responses, before = [], 0
    with ExitStack() as connections:

        def join() -> None:
            time.sleep(next(numbers) * _RAMP_SECONDS)
            mine.connection = connections.enter_context(closing(_connection(deployment)))

        def register(buyer: _Buyer) -> tuple[int, str | None, float]:
            form = urlencode(buyer.form)
            start = time.perf_counter()
            mine.connection.request("POST", path, form, headers)
            with mine.connection.getresponse() as response:
                response.read()
            return response.status, response.getheader("Location"), time.perf_counter() - start

        start = time.perf_counter()
        with ThreadPoolExecutor(at_once, initializer=join) as pool:
            for done, response in enumerate(pool.map(register, buyers), start=1):
                responses.append(response)
                if done == _tenth(len(buyers)):
                    before = _resident_kilobytes(environments)
        seconds = time.perf_counter() - start
    _demand(HTTPStatus.SEE_OTHER, (status for status, _, _ in responses))
    return _AtOnce(
        redirects=[_redirect(location, taken) for _, location, taken in responses],
        seconds=seconds,
        growth=_growth(environments, before),
    )


def _register_one_by_one(deployment: Deployment, function: Mapping[str, Any], buyers: Sequence[_Buyer]) -> _OneByOne:
    folder = deployment.aws.folder / "one-environment"
    copy_asset(RESOLVER, folder / "asset")
    client = deployment.aws.environment()
    environment = {
        **{name: value for name, value in client.items() if name.startswith("AWS_")},
        **function["Environment"]["Variables"],
        "AWS_ENDPOINT_URL_MARKETPLACE_METERING": deployment.marketplace.endpoint_url,
        "AWS_LAMBDA_LOG_FORMAT": function["LoggingConfig"]["LogFormat"],
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
    }
    redirects, lines, before = [], Counter[tuple[str, str]](), 0
    with LambdaRuntime(
        folder / "asset",
        handler=function["Handler"],
        environment=environment,
        timeout=function["Timeout"],
        printed=folder / "printed",
    ) as runtime:
        for done, buyer in enumerate(buyers, start=1):
            invocation = runtime.invoke(form_event(buyer.form))
            if invocation.response is None:
                raise LoadError("the resolver raised an exception")
            _demand(HTTPStatus.SEE_OTHER, [invocation.response["statusCode"]])
            records = map(json.loads, invocation.log)
            lines.update((record["level"], record.get("outcome", "none")) for record in records)
            redirects.append(_redirect(invocation.response["headers"]["Location"], invocation.milliseconds / 1000))
            if done == _tenth(len(buyers)):
                before = _resident_kilobytes([runtime.pid])
        growth = _growth([runtime.pid], before)
    # At start-up, botocore logs where it found credentials.
    del lines["INFO", "none"]
    if lines != {("INFO", "registered"): len(buyers)}:
        raise LoadError(f"{len(buyers)} registrations left these lines in the resolver's log: {dict(lines)}")
    return _OneByOne(redirects=redirects, growth=growth)


def _tenth(registrations: int) -> int:
    return math.ceil(registrations / 10)


def _demand(status: HTTPStatus, statuses: Iterable[int]) -> None:
    if (found := Counter(statuses)).keys() - {status}:
        raise LoadError(f"every response should have status {status:d}, got (status: count) {dict(found)}")


def _redirect(location: str | None, seconds: float) -> _Redirect:
    code = registration_code(location or "")
    return _Redirect(code_hash=hashlib.sha256(code.encode()).hexdigest(), milliseconds=seconds * 1000)


def _read(file: Path) -> bytes:
    # Any other process of the machine may have ended in the meantime.
    with suppress(FileNotFoundError, ProcessLookupError):
        return file.read_bytes()
    return b""


def _resident_kilobytes(environments: Iterable[int]) -> int:
    # Not from statm: the kernel counts that per core, and its error is as large as the growth to find.
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in environments)
    return sum(int(size) for rollup in rollups for size in re.findall(r"^Rss: +(\d+) kB$", rollup, re.MULTILINE))


def _growth(environments: Iterable[int], before: int) -> float:
    return (_resident_kilobytes(environments) / before - 1) * 100


def _check(
    deployment: Deployment, function: Mapping[str, Any], buyers: Sequence[_Buyer], redirects: Sequence[_Redirect]
) -> int:
    """Raise LoadError for anything lost or wrong, and return how often Marketplace was called."""
    variables = function["Environment"]["Variables"]
    items = list(_items(deployment, variables["REGISTRATIONS_TABLE"]))
    _compare(
        "registrations",
        {_key(buyer.registration): buyer.registration for buyer in buyers},
        {_key(item): {name: value for name, value in item.items() if name not in _TIMES} for item in items},
    )
    if again := sum(len({item.get(name) for name in _TIMES}) > 1 for item in items):
        raise LoadError(f"{again} buyers were registered more than once")
    if same := len(redirects) - len({redirect.code_hash for redirect in redirects}):
        raise LoadError(f"{same} buyers got another buyer's registration code")
    _compare(
        "claim records",
        {redirect.code_hash: _key(buyer.registration) for buyer, redirect in zip(buyers, redirects, strict=True)},
        {item["CodeHash"]: _key(item) for item in _items(deployment, variables["CLAIMS_TABLE"])},
    )
    calls = deployment.marketplace.calls
    outcomes = Counter(call.outcome for call in calls)
    tokens = {token for buyer in buyers for token in buyer.form.values()}
    if outcomes.keys() != {"OK"} or {call.registration_token for call in calls} != tokens:
        raise LoadError(f"{len(tokens)} tokens should have been redeemed, got these calls: {dict(outcomes)}")
    _check_log(deployment, function["LoggingConfig"]["LogGroup"])
    return len(calls)


def _compare(what: str, expected: Mapping[Any, object], stored: Mapping[Any, object]) -> None:
    missing, foreign = len(expected.keys() - stored.keys()), len(stored.keys() - expected.keys())
    wrong = sum(stored[key] != expected[key] for key in stored.keys() & expected.keys())
    if missing or foreign or wrong:
        raise LoadError(f"of {len(expected)} {what}, {missing} are lost and {wrong} wrong; {foreign} are unexpected")


def _items(deployment: Deployment, table: str) -> Iterator[dict[str, str]]:
    pages = deployment.aws.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for page in pages:
        for item in page["Items"]:
            yield {name: next(iter(value.values())) for name, value in item.items()}


def _key(item: Mapping[str, str]) -> tuple[str, str]:
    return item["CustomerAWSAccountId"], item["ProductLicense"]


def _check_log(deployment: Deployment, log_group: str) -> None:
    # Only warnings, errors and tracebacks are left.
    pages = deployment.aws.client("logs").get_paginator("filter_log_events")
    others = pages.paginate(logGroupName=log_group, filterPattern="-START -END -REPORT -INFO")
    if lines := sum(len(page["events"]) for page in others):
        raise LoadError(f"the resolver's log has {lines} lines of warnings and errors")
