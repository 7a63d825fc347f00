"""Every alarm fires on its own fault, and none on an ordinary day.

As in a deployment, the real runtime client writes the log, and the template's own metric filters and alarms
are applied to it. Metrics that AWS publishes itself are counted from the fault's real effect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.testing import MarketplaceCustomer, MarketplaceStandIn
from local.emulated.api_events import BROWSER, JSON_CALLER, form_event, http_event, json_event
from local.emulated.cloudwatch import CloudWatch, Metric, matcher, resolved
from local.emulated.faulty_dynamodb import Fault, FaultyDynamoDB
from local.emulated.lambda_runtime import LambdaRuntime
from local.product import PRODUCT_CODE
from tests.functional.conftest import LANDING_PAGE, REGION, lambda_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from aws_cdk.aws_cloudwatch import CfnAlarm

    from constructs_lib import AlarmName
    from local.emulated.lambda_runtime import Invocation

TOKEN_FIELD = "x-amzn-marketplace-token"

READS = {"GetItem"}

LONGER_THAN_THE_SDK_WAITS = 20

DAY_SECONDS = 24 * 60 * 60


class Deployed:
    """A stack's template, with names for the resources that its function uses."""

    def __init__(self) -> None:
        stack = Stack(App(), "Stack")
        registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
        self.template: Mapping[str, Any] = Template.from_stack(stack).to_json()
        self.alarm_names: dict[str, AlarmName] = {
            stack.get_logical_id(self._resource(alarm)): name for name, alarm in registration.alarms.items()
        }
        self.function = self.only("AWS::Lambda::Function")
        self.references = {
            stack.resolve(registration.table.table_name)["Ref"]: "registrations",
            stack.resolve(registration.claims_table.table_name)["Ref"]: "claims",
            stack.resolve(registration.resolver.function_name)["Ref"]: "resolver",
            stack.resolve(registration.api.api_id)["Ref"]: "api",
        }
        self.log_group = self.resolve(self.function["LoggingConfig"]["LogGroup"])
        access_log = self.only("AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
        self.access_log_group = self.resolve(access_log["DestinationArn"]).removeprefix("arn:")
        self.access_log_format: str = access_log["Format"]

    def resolve(self, value: Any) -> str:
        return resolved(value, self.references)

    def only(self, kind: str) -> dict[str, Any]:
        (resource,) = (r for r in self.template["Resources"].values() if r["Type"] == kind)
        properties: dict[str, Any] = resource["Properties"]
        return properties

    @staticmethod
    def _resource(alarm: Any) -> CfnAlarm:
        resource: CfnAlarm = alarm.node.default_child
        return resource


class World:
    """The function under the real runtime client, its services, and the metrics that AWS would publish."""

    def __init__(
        self, deployed: Deployed, runtime: LambdaRuntime, marketplace: MarketplaceStandIn, dynamodb: FaultyDynamoDB
    ) -> None:
        self.deployed = deployed
        self.runtime = runtime
        self.marketplace = marketplace
        self.dynamodb = dynamodb
        self.cloudwatch = CloudWatch(deployed.template, deployed.references)

    def firing(self) -> set[AlarmName]:
        return {self.deployed.alarm_names[logical_id] for logical_id in self.cloudwatch.firing()}

    def send(self, event: Mapping[str, Any]) -> Invocation:
        """Send a request, and publish what AWS would: the log, and its services' own metrics."""
        invocation = self.runtime.invoke(event)
        for written in invocation.log:
            self.cloudwatch.log(self.deployed.log_group, written)
        self.cloudwatch.put("AWS/Lambda", "Duration", invocation.milliseconds, FunctionName="resolver")
        if invocation.error:
            self.cloudwatch.put("AWS/Lambda", "Errors", FunctionName="resolver")
        self.respond(invocation.response["statusCode"] if invocation.response else 500, event["routeKey"])
        return invocation

    def respond(self, status: int, route: str) -> None:
        """Do what API Gateway does when it responds."""
        line = self.deployed.access_log_format.replace("$context.status", str(status))
        line = line.replace("$context.routeKey", route)
        self.cloudwatch.log(self.deployed.access_log_group, line)
        if status >= 500:
            self.cloudwatch.put("AWS/ApiGateway", "5xx", ApiId="api")

    def form(self) -> dict[str, str]:
        return self.marketplace.form(MarketplaceCustomer.licensed(PRODUCT_CODE))

    def register(self, form: Mapping[str, str] | None = None) -> str:
        """Act as a buyer, and return the status and, on success, the landing page."""
        response = self.send(form_event(form or self.form())).response
        assert response
        return f"{response['statusCode']} {response['headers'].get('Location', '')}".strip()

    def code(self) -> str:
        return parse_qs(urlsplit(self.register()).query)["registration_code"][0]

    def claim(self, code: str) -> int:
        response = self.send(json_event("POST /claim", {"registration_code": code})).response
        assert response
        status: int = response["statusCode"]
        return status

    def store_fails(self, fault: Fault, operation: str, table: str, *, times: int = 1) -> None:
        """Let calls to DynamoDB fail in a registration or a claim, and count them as DynamoDB would."""
        before = self.dynamodb.injected[fault]
        code = self.code() if operation in READS or (operation, table) == ("UpdateItem", "claims") else None
        self.dynamodb.inject(fault, times=times, operation=operation, table=table)
        # A buyer who gets through is claimed, so that nothing but the fault is watched.
        if code is None and "registration_code=" in (landing := self.register()):
            code = parse_qs(urlsplit(landing).query)["registration_code"][0]
        if code:
            self.claim(code)
        met = self.dynamodb.injected[fault] - before
        assert met == times
        for _ in range(met):
            if fault is Fault.THROUGHPUT_EXCEEDED:
                kind = "Read" if operation in READS else "Write"
                self.cloudwatch.put("AWS/DynamoDB", f"{kind}ThrottleEvents", TableName=table)
            elif fault is Fault.SERVER_ERROR:
                self.cloudwatch.put("AWS/DynamoDB", "SystemErrors", TableName=table, Operation=operation)


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return Deployed()


@pytest.fixture(scope="module")
def marketplace_of_module() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def dynamodb_of_module(deployed: Deployed, dynamodb_url: str) -> Iterator[FaultyDynamoDB]:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    tables = [
        properties["Properties"] | {"TableName": deployed.references[logical_id]}
        for logical_id, properties in deployed.template["Resources"].items()
        if properties["Type"] == "AWS::DynamoDB::GlobalTable"
    ]
    for table in tables:
        names = "TableName", "BillingMode", "AttributeDefinitions", "KeySchema"
        client.create_table(**{name: table[name] for name in names})
    with FaultyDynamoDB(dynamodb_url) as proxy:
        yield proxy
    for table in tables:
        client.delete_table(TableName=table["TableName"])
    client.close()


@pytest.fixture(scope="module")
def runtime(
    deployed: Deployed,
    marketplace_of_module: MarketplaceStandIn,
    dynamodb_of_module: FaultyDynamoDB,
    asset: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LambdaRuntime]:
    function = deployed.function
    environment = {
        **lambda_environment(function, "resolver", deployed.references),
        "AWS_ENDPOINT_URL_MARKETPLACE_METERING": marketplace_of_module.endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_of_module.endpoint_url,
    }
    with LambdaRuntime(
        asset,
        handler=function["Handler"],
        environment=environment,
        timeout=function["Timeout"],
        printed=tmp_path_factory.mktemp("runtime") / "printed",
    ) as runtime:
        yield runtime


@pytest.fixture
def world(
    deployed: Deployed,
    runtime: LambdaRuntime,
    marketplace_of_module: MarketplaceStandIn,
    dynamodb_of_module: FaultyDynamoDB,
) -> World:
    marketplace_of_module.clear_faults()
    dynamodb_of_module.clear_faults()
    return World(deployed, runtime, marketplace_of_module, dynamodb_of_module)


def marketplace_throttles(world: World) -> None:
    world.marketplace.throttle(times=3)
    assert world.register() == "503"


def marketplace_fails(world: World) -> None:
    world.marketplace.fail(times=3)
    assert world.register() == "503"


def marketplace_hangs_up(world: World) -> None:
    world.marketplace.close_connection(times=3)
    assert world.register() == "503"


def marketplace_denies(world: World) -> None:
    world.marketplace.refuse()
    assert world.register() == "500"


def marketplace_is_disabled(world: World) -> None:
    world.marketplace.refuse(code="DisabledApiException")
    assert world.register() == "500"


def marketplace_names_no_account(world: World) -> None:
    world.marketplace.answer({"ProductCode": PRODUCT_CODE})
    assert world.register() == "500"


def token_is_forged(world: World) -> None:
    assert world.register({TOKEN_FIELD: "forged"}) == "400"


def token_is_expired(world: World) -> None:
    form = world.form()
    world.marketplace.clock.advance(timedelta(hours=5))
    assert world.register(form) == "410"


def product_is_not_sold_here(world: World) -> None:
    assert world.register(world.marketplace.form(MarketplaceCustomer.licensed("not-in-products"))) == "403"


def event_is_unforeseen(world: World) -> None:
    invocation = world.send({**form_event(world.form()), "requestContext": {}})
    assert invocation.error
    assert invocation.error["errorType"] == "KeyError"


def store_denies(world: World) -> None:
    world.store_fails(Fault.ACCESS_DENIED, "UpdateItem", "registrations")


def claims_are_gone(world: World) -> None:
    world.store_fails(Fault.TABLE_MISSING, "GetItem", "claims")


def store_hangs_up(world: World) -> None:
    world.store_fails(Fault.CLOSED, "PutItem", "claims", times=2)


def meets(fault: Fault, operation: str, table: str) -> Callable[[World], None]:
    def meet(world: World) -> None:
        world.store_fails(fault, operation, table)

    meet.__name__ = f"{operation}_of_{table}_meets_{fault.name}"
    return meet


def code_is_not_claimed(world: World) -> None:
    assert world.register().startswith("303")


def code_is_unknown(world: World) -> None:
    assert world.claim("A" * 43) == 404


class Case(NamedTuple):
    alarm: AlarmName
    fault: Callable[[World], None]
    """Adds one to the metric that the alarm watches."""
    others: frozenset[AlarmName] = frozenset()
    """Other alarms that must fire by then."""


CASES = [
    Case("ApiServerErrors", marketplace_denies, frozenset({"MarketplaceRefused"})),
    Case("ApiServerErrors", event_is_unforeseen, frozenset({"ResolverErrors"})),
    Case("ApiServerErrors", store_denies, frozenset({"StoreUnavailable"})),
    Case("RecurringServerErrors", marketplace_fails),
    Case("RecurringServerErrors", marketplace_hangs_up),
    Case("RecurringServerErrors", event_is_unforeseen, frozenset({"ResolverErrors"})),
    Case("ResolverErrors", event_is_unforeseen),
    Case("MarketplaceThrottled", marketplace_throttles),
    Case("MarketplaceUnavailable", marketplace_fails, frozenset({"ApiServerErrors"})),
    Case("MarketplaceUnavailable", marketplace_hangs_up, frozenset({"ApiServerErrors"})),
    Case("MarketplaceRefused", marketplace_denies),
    Case("MarketplaceRefused", marketplace_is_disabled),
    Case("MarketplaceRefused", marketplace_names_no_account),
    Case("StoreUnavailable", store_denies),
    Case("StoreUnavailable", claims_are_gone),
    Case("StoreUnavailable", store_hangs_up),
    Case("TokensRefused", token_is_forged),
    Case("TokensRefused", token_is_expired),
    Case("ProductsRefused", product_is_not_sold_here),
    Case("ClaimsRefused", code_is_unknown),
    Case("CodesUnclaimed", code_is_not_claimed),
    Case("RegistrationsReadThrottled", meets(Fault.THROUGHPUT_EXCEEDED, "GetItem", "registrations")),
    Case("RegistrationsWriteThrottled", meets(Fault.THROUGHPUT_EXCEEDED, "UpdateItem", "registrations")),
    Case("ClaimsReadThrottled", meets(Fault.THROUGHPUT_EXCEEDED, "GetItem", "claims")),
    Case("ClaimsWriteThrottled", meets(Fault.THROUGHPUT_EXCEEDED, "PutItem", "claims")),
    Case("ClaimsWriteThrottled", meets(Fault.THROUGHPUT_EXCEEDED, "UpdateItem", "claims")),
    Case("RegistrationsGetItemFails", meets(Fault.SERVER_ERROR, "GetItem", "registrations")),
    Case("RegistrationsUpdateItemFails", meets(Fault.SERVER_ERROR, "UpdateItem", "registrations")),
    Case("ClaimsGetItemFails", meets(Fault.SERVER_ERROR, "GetItem", "claims")),
    Case("ClaimsPutItemFails", meets(Fault.SERVER_ERROR, "PutItem", "claims")),
    Case("ClaimsUpdateItemFails", meets(Fault.SERVER_ERROR, "UpdateItem", "claims")),
]


def api_throttles(world: World) -> None:
    world.respond(429, "POST /register")


def api_denies_a_claim(world: World) -> None:
    world.respond(403, "POST /claim")


def lambda_throttles(world: World) -> None:
    world.cloudwatch.put("AWS/Lambda", "Throttles", FunctionName="resolver")


NOT_THE_FUNCTIONS = [
    Case("ApiThrottled", api_throttles),
    Case("ClaimsDenied", api_denies_a_claim),
    Case("ResolverThrottles", lambda_throttles),
]


def names(cases: list[Case]) -> list[str]:
    return [f"{case.alarm}-{case.fault.__name__}" for case in cases]


def assert_fires_on_its_threshold(world: World, case: Case) -> None:
    (alarm,) = (
        world.cloudwatch.alarms[logical_id]
        for logical_id, name in world.deployed.alarm_names.items()
        if name == case.alarm
    )
    # Of those that count by the period, a period breaches with one fault.
    periods = alarm.datapoints_to_alarm
    assert alarm.threshold == 1 or periods == 1
    needed = int(alarm.threshold) * periods
    assert needed == alarm.threshold * periods
    # As far apart as they can be and still all be in one period, or in the periods that are evaluated.
    apart = alarm.period / needed if periods == 1 else alarm.period * (alarm.evaluation_periods - 1) / (periods - 1)

    for _ in range(needed - 1):
        case.fault(world)
        assert case.alarm not in world.firing()
        world.cloudwatch.advance(apart)
    case.fault(world)

    assert world.cloudwatch.figures(alarm.metric) == [1.0] * needed
    assert world.firing() == {case.alarm} | case.others


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_an_alarm_fires_on_its_fault_and_not_on_one_less(world: World, case: Case) -> None:
    assert_fires_on_its_threshold(world, case)


@pytest.mark.parametrize("case", NOT_THE_FUNCTIONS, ids=names(NOT_THE_FUNCTIONS))
def test_an_alarm_on_throttling_by_aws_fires_on_metrics_written_by_hand(world: World, case: Case) -> None:
    """A request that API Gateway or Lambda throttles never reaches the function, so nothing is injected here.

    API Gateway's line is the template's own format with its status filled in; Lambda's metric has the name and the
    dimension that AWS documents.
    """
    assert_fires_on_its_threshold(world, case)


def test_a_marketplace_that_responds_only_to_the_third_attempt_fires_the_slow_alarm(world: World) -> None:
    world.marketplace.slow_down(LONGER_THAN_THE_SDK_WAITS)
    assert world.register().startswith("303")
    assert world.firing() == set()

    world.marketplace.slow_down(LONGER_THAN_THE_SDK_WAITS, times=2)
    assert world.register().startswith("303")
    assert world.firing() == {"ResolverSlow"}


@pytest.mark.parametrize("fault", [marketplace_fails, marketplace_hangs_up, event_is_unforeseen])
def test_two_failed_buyers_a_day_apart_fire_an_alarm(world: World, fault: Callable[[World], None]) -> None:
    fault(world)
    world.cloudwatch.advance(DAY_SECONDS)
    assert "RecurringServerErrors" not in world.firing()

    fault(world)

    assert "RecurringServerErrors" in world.firing()


def test_a_single_failure_that_passes_notifies_nobody(world: World) -> None:
    marketplace_fails(world)
    for _ in range(2):
        # The same buyer at once again.
        world.cloudwatch.advance(60)
        assert world.claim(world.code()) == 200
    marketplace_fails(world)
    fired = world.firing()
    for _ in range(7):
        world.cloudwatch.advance(DAY_SECONDS)
        assert world.claim(world.code()) == 200
        fired |= world.firing()

    assert fired == set()


def test_at_one_registration_a_day_a_backend_that_never_claims_fires_on_the_third_day(world: World) -> None:
    fired = []
    for _ in range(3):
        code_is_not_claimed(world)
        fired.append(world.firing())
        world.cloudwatch.advance(DAY_SECONDS)

    assert fired == [set(), set(), {"CodesUnclaimed"}]


def test_a_backend_whose_claims_are_rejected_fires_like_one_that_never_claims(world: World) -> None:
    for _ in range(3):
        code_is_not_claimed(world)
        code_is_unknown(world)

    assert world.firing() == {"CodesUnclaimed"}


def test_every_alarm_has_a_fault() -> None:
    shown = {case.alarm for case in CASES + NOT_THE_FUNCTIONS} | {"ResolverSlow"}

    assert shown == set(SIGNALS)


def test_every_alarm_on_a_log_is_fed_by_one_metric_filter(world: World) -> None:
    filtered = world.cloudwatch.filtered

    watched = [
        alarm.metric for alarm in world.cloudwatch.alarms.values() if not alarm.metric.namespace.startswith("AWS/")
    ]

    # That of a difference is fed by two: one adds, one takes off.
    assert {metric.name: filtered.count(metric) for metric in watched} == {
        metric.name: 2 if metric.name == "CodesUnclaimed" else 1 for metric in watched
    }
    assert watched


def test_an_ordinary_day_fires_no_alarm_even_within_one_period(world: World) -> None:
    customers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(20)]
    landings = [world.register(world.marketplace.form(customer)) for customer in customers]
    registered_again = [world.register(world.marketplace.form(customer)) for customer in customers[:6]]
    for _ in range(4):
        token_is_expired(world)
    token_is_forged(world)
    codes = [parse_qs(urlsplit(landing).query)["registration_code"][0] for landing in landings]
    codes += [parse_qs(urlsplit(landing).query)["registration_code"][0] for landing in registered_again]
    # All but two, who close the tab.
    claims = [world.claim(code) for code in codes[:-1]]
    rejected = world.claim(codes[0])
    page = world.send(http_event("GET /register", headers=BROWSER)).response
    # A fault that the SDK's retries bridge.
    world.marketplace.throttle()
    hiccup = world.register()
    bad = world.send(form_event({}, **JSON_CALLER)).response

    assert {landing[:3] for landing in [*landings, *registered_again, hiccup]} == {"303"}
    assert (claims, rejected) == ([200] * 25, 404)
    assert page
    assert bad
    assert (page["statusCode"], bad["statusCode"]) == (200, 400)
    assert world.firing() == set()
    # No alarm fired, but everything was counted.
    counted = {name: len(world.cloudwatch.figures(outcome_metric(name))) for name in DAY}
    assert counted == DAY


DAY = {
    "Registrations": 27,
    "Claims": 25,
    "BadRequests": 1,
    "TokensRefused": 5,
    "ClaimsRefused": 1,
    "MarketplaceThrottled": 0,
    "MarketplaceTime": 32,
    "StoreTime": 27,
}


def outcome_metric(name: str) -> Metric:
    return Metric("MarketplaceRegistration/resolver", name)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "ERROR",
        '{ $.outcome != "x" }',
        '{ $.outcome = "token_*" }',
        "{ $.outcome = x }",
        "{ $.status = 429 }",
        "{ $.status >= 500 }",
        '{ ($.a = "x") && ($.b = "y") || ($.c = "z") }',
        '{ ($.a = "x") && $.b = "y" }',
        '{ ($.a = "x") || $.b = "y" }',
        '{ ($.a = "x") && (($.b = "y") && ($.c = "z") || ($.d = "w")) }',
        '{ ($.a = "x") && ($.b = "y" }',
        '{ $.a.b = "x" }',
        "{ $.a IS TRUE }",
        '[ip, status = "429"]',
    ],
)
def test_a_pattern_that_the_emulation_would_misread_is_rejected(pattern: str) -> None:
    with pytest.raises(NotImplementedError):
        matcher(pattern)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ('{ $.a = "x" }', [{"a": "x"}], [{}, {"a": "xx"}, {"b": "x"}, {"a": 1}]),
        ('{ ($.a = "x") || ($.a = "y") }', [{"a": "x"}, {"a": "y"}], [{}, {"a": "z"}]),
        ('{ ($.a = "x") && ($.b = "y z") }', [{"a": "x", "b": "y z"}], [{}, {"a": "x"}, {"a": "x", "b": "y"}]),
        (
            '{ ($.a = "x") && (($.b = "y") || ($.b = "z")) }',
            [{"a": "x", "b": "y"}, {"a": "x", "b": "z"}],
            [{"b": "y"}, {"a": "x"}, {"a": "z", "b": "z"}],
        ),
        ('{ ($.a = "x") && ($.b = *) }', [{"a": "x", "b": 0}], [{"b": 0}, {"a": "x"}, {"a": "y", "b": 0}]),
        ("{ $.a = * }", [{"a": "x"}, {"a": 1.5}], [{}, {"b": 1}]),
        ('{ $.a = "*" }', [{"a": "x"}, {"a": 1.5}], [{}, {"b": 1}]),
        ('{ $.a = "429" }', [{"a": "429"}], [{"a": 429}, {"a": "4290"}]),
    ],
)
def test_a_pattern_is_read_as_cloudwatch_reads_it(
    pattern: str, matching: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    matches = matcher(pattern)

    assert all(matches(record) for record in matching)
    assert not any(matches(record) for record in other)
