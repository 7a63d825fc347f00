"""What `MarketplaceSubscriptions` and `MarketplaceEventForwarding` reject, and what they let through."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Duration, Environment, Fn, Stack, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceEventForwarding, MarketplaceSubscriptions
from constructs_lib.subscriptions._parameters import FORWARDING_PARAMETERS, PARAMETERS, RULE_PARAMETERS
from constructs_lib.subscriptions._signals import RECONCILIATION_SIGNALS, SIGNALS
from local.product import LANDING_PAGE, PRODUCT_CODE
from tests.infrastructure.stacks import properties, register, subscribe
from tests.infrastructure.test_subscriptions import table_parameters
from tests.infrastructure.test_types import GIVEN, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

ACCOUNT, PUBLISHING = "111122223333", "444455556666"
FORWARD = (
    "deploy MarketplaceEventForwarding in the publishing account's stack there, and pass the bus that it forwards to"
)


def a_stack(region: str = "us-east-1", app: App | None = None, name: str = "Stack") -> Stack:
    return Stack(app or App(), name, env=Environment(account=ACCOUNT, region=region))


def a_bus(stack: Construct, account: str = ACCOUNT, region: str = "us-east-1") -> events.IEventBus:
    return events.EventBus.from_event_bus_arn(stack, "Bus", f"arn:aws:events:{region}:{account}:event-bus/marketplace")


def rejected(make: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is looked at by the test
        make()
    message = str(rejection.value)
    assert "\n" not in message
    return message


# --- Types.


def test_every_parameter_has_a_kind() -> None:
    for construct, kinds in {
        MarketplaceSubscriptions: PARAMETERS,
        MarketplaceEventForwarding: FORWARDING_PARAMETERS,
    }.items():
        assert list(kinds) == list(inspect.signature(construct.__init__).parameters)[1:]  # type: ignore[misc]
    for method in ("on_registered", "on_ready", "on_changed", "on_ended"):
        signature = inspect.signature(getattr(MarketplaceSubscriptions, method))
        assert list(RULE_PARAMETERS) == list(signature.parameters)[1:]


NONE = {"none"}
FIT = {
    "registration": set(),
    "event_bus": NONE,
    "publication_event_bus": NONE,
    "reconciliation": {"none", "boolean"},
    "lost_buyer_delay": {"none", "duration"},
    "alarm_settings": {"none", "dict"},
}


@pytest.mark.parametrize("parameter", FIT)
def test_a_value_of_another_type_is_rejected(parameter: str) -> None:
    for given in GIVEN:
        if given not in FIT[parameter]:
            parameters = {"registration": None, parameter: made()[given]}
            if parameter != "registration":
                parameters["registration"] = register(a_stack())

            message = rejected(lambda p=parameters: MarketplaceSubscriptions(a_stack(), "Subscriptions", **p))  # type: ignore[misc]

            assert message.startswith(f"{parameter}: must be "), given


@pytest.mark.parametrize("given", ["none", "string", "list", "role", "topic", "class", "stack"])
def test_the_forwarding_and_the_rules_reject_other_types_too(given: str) -> None:
    value = made()[given]
    stack = a_stack()
    subscribed = subscribe(stack)

    message = rejected(lambda: MarketplaceEventForwarding(stack, "Forwarding", event_bus=value))
    assert message.startswith("event_bus: must be an event bus, such as EventBus.from_event_bus_name(")
    if given != "none":
        assert rejected(lambda: subscribed.on_ready("Rule", target=value)).startswith("target: must be a target, such")
    if given not in {"none", "string"}:
        assert rejected(lambda: subscribed.on_ready("Rule", description=value)).startswith("description: must be a s")
    if given != "string":
        assert rejected(lambda: subscribed.on_ready(value)).startswith("construct_id: must be a string")
    if given != "list":
        message = rejected(
            lambda: MarketplaceEventForwarding(stack, "F", event_bus=a_bus(a_stack(), PUBLISHING), alarm_actions=value)
        )
        assert message.startswith("alarm_actions: must be a list of actions")


def test_what_is_asked_of_the_cdks_own_objects_is_true_of_all_of_them() -> None:
    stack = a_stack()

    for bus in (
        events.EventBus(stack, "Made"),
        events.EventBus.from_event_bus_name(stack, "ByName", "default"),
        events.EventBus.from_event_bus_arn(stack, "ByArn", f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/a"),
    ):
        assert PARAMETERS["event_bus"].fits(bus)
    assert RULE_PARAMETERS["target"].fits(targets.SqsQueue(sqs.Queue(stack, "Queue")))


# --- Where Marketplace's events are.


@pytest.mark.parametrize(
    ("region", "of_events", "marketplace_region"),
    [
        ("eu-west-1", "us-east-1", "us-east-1"),
        ("us-east-2", "us-east-1", "us-east-2"),
    ],
)
def test_elsewhere_the_default_bus_is_rejected_with_what_to_do(
    region: str, of_events: str, marketplace_region: str
) -> None:
    stack = a_stack(region)
    registration = register(stack, marketplace_region=marketplace_region)

    assert rejected(lambda: subscribe(stack, registration)) == (
        f"event_bus: required in a stack in {region}, because AWS Marketplace puts its events on the default event bus "
        f"in {of_events} only; {FORWARD}"
    )


@pytest.mark.parametrize("region", ["us-east-1", "eusc-de-east-1", "cn-northwest-1"])
def test_the_default_bus_is_let_through_where_marketplaces_events_may_be(region: str) -> None:
    stack = a_stack(region)

    subscribe(stack, register(stack, marketplace_region=region))


def test_a_stack_in_no_known_region_may_have_the_default_bus(stack: Stack) -> None:
    subscribe(stack)

    (rule,) = (rule for rule in properties(Template.from_stack(stack), "AWS::Events::Rule") if "EventPattern" in rule)
    assert rule["EventBusName"] == "default"


@pytest.mark.parametrize(
    "arn", [f"arn:aws:iam::{PUBLISHING}:role/seller", Fn.import_value("SellerRole")], ids=["arn", "token"]
)
@pytest.mark.parametrize("make", [a_stack, lambda: Stack(App(), "Stack")], ids=["known", "anywhere"])
def test_with_a_role_of_another_account_the_default_bus_is_rejected(make: Callable[[], Stack], arn: str) -> None:
    stack = make()
    registration = register(stack, seller_role=iam.Role.from_role_arn(stack, "Role", arn))

    assert rejected(lambda: subscribe(stack, registration)) == (
        "event_bus: required with a seller_role, unless its account is known to be the stack's, because AWS "
        f"Marketplace puts its events on the publishing account's default event bus in us-east-1; {FORWARD}"
    )


@pytest.mark.parametrize(
    "role",
    [
        lambda stack: iam.Role.from_role_arn(stack, "Role", f"arn:aws:iam::{ACCOUNT}:role/seller"),
        lambda stack: iam.Role(stack, "Role", assumed_by=iam.AccountPrincipal(ACCOUNT)),
    ],
    ids=["imported", "made"],
)
def test_with_a_role_of_the_stacks_account_the_default_bus_is_let_through(role: Callable[[Stack], iam.IRole]) -> None:
    stack = a_stack()

    subscribe(stack, register(stack, seller_role=role(stack)))


@pytest.mark.parametrize("parameter", ["event_bus", "publication_event_bus"])
@pytest.mark.parametrize(
    ("account", "region", "what", "here", "there"),
    [
        (PUBLISHING, "us-east-1", "account", ACCOUNT, PUBLISHING),
        (ACCOUNT, "eu-west-1", "region", "us-east-1", "eu-west-1"),
    ],
)
def test_a_bus_elsewhere_is_rejected(
    parameter: str, account: str, region: str, what: str, here: str, there: str
) -> None:
    stack = a_stack()
    registration = register(stack)

    assert rejected(lambda: subscribe(stack, registration, **{parameter: a_bus(stack, account, region)})) == (
        f"{parameter}: must be in the {what} of the stack, {here}, where its rule is made, got one in {there}"
    )


def test_a_bus_of_the_stack_is_let_through_in_any_region() -> None:
    stack = a_stack("eu-west-1")
    role = iam.Role.from_role_arn(stack, "Role", f"arn:aws:iam::{PUBLISHING}:role/seller")

    subscribe(stack, register(stack, seller_role=role), event_bus=events.EventBus(stack, "Bus"))


@pytest.mark.parametrize(
    ("account", "region", "what", "here", "there"),
    [
        (PUBLISHING, "us-east-1", "account", ACCOUNT, PUBLISHING),
        (ACCOUNT, "eu-west-1", "region", "us-east-1", "eu-west-1"),
    ],
)
def test_a_registration_elsewhere_is_rejected(account: str, region: str, what: str, here: str, there: str) -> None:
    app = App()
    other = Stack(app, "Other", env=Environment(account=account, region=region))

    assert rejected(lambda: subscribe(a_stack(app=app), register(other))) == (
        f"registration: must be in the {what} of the stack, {here}, got one in {there}"
    )


def test_a_registration_of_another_stack_of_the_same_place_is_let_through() -> None:
    app = App()
    registration = register(a_stack(app=app, name="Registration"))
    stack = a_stack(app=app, name="Subscriptions")

    subscribe(stack, registration).on_ready("Provision")

    Template.from_stack(stack).resource_count_is("AWS::Lambda::EventSourceMapping", 2)


# --- The table's stream.

SET = (
    "set dynamo_stream=StreamViewType.NEW_AND_OLD_IMAGES where the table is made, and import it as "
    'TableV2.from_table_attributes(stack, "Table", table_arn=…, table_stream_arn=…)'
)


@pytest.mark.parametrize(
    "make",
    [
        lambda stack: dynamodb.TableV2(stack, "Own", **table_parameters()),
        lambda stack: dynamodb.Table(stack, "Own", **table_parameters()),
        lambda stack: dynamodb.TableV2.from_table_name(stack, "Own", "buyers"),
    ],
    ids=["table", "older-table", "imported"],
)
def test_a_table_without_a_stream_that_is_known_is_rejected(make: Callable[[Stack], Any]) -> None:
    stack = a_stack()
    registration = register(stack, table=make(stack))

    assert rejected(lambda: subscribe(stack, registration)) == (
        "registration: its table must have a stream with new and old images, got one without a stream that is known; "
        + SET
    )


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
@pytest.mark.parametrize(
    "make",
    [
        lambda stack, view: dynamodb.TableV2(stack, "Own", **table_parameters(dynamo_stream=view)),
        lambda stack, view: dynamodb.Table(stack, "Own", **table_parameters(stream=view)),
    ],
    ids=["table", "older-table"],
)
def test_a_stream_with_too_little_in_it_is_rejected(make: Callable[..., Any], view: str) -> None:
    stack = a_stack()
    registration = register(stack, table=make(stack, dynamodb.StreamViewType[view]))

    assert rejected(lambda: subscribe(stack, registration)) == (
        f"registration: its table's stream must have the view type NEW_AND_OLD_IMAGES, got {view}"
    )


# --- The reconciliation.


def test_a_reconciliation_in_china_is_rejected() -> None:
    stack = a_stack("cn-northwest-1")
    registration = register(stack, marketplace_region="cn-northwest-1")

    assert rejected(lambda: subscribe(stack, registration, reconciliation=True)) == (
        "reconciliation: must be False or None in China, where AWS Marketplace has no Agreement API, got True with the "
        "marketplace_region cn-northwest-1"
    )


SECONDS = "lost_buyer_delay: must be whole seconds, from 15 minutes to 1 day, got "


@pytest.mark.parametrize(
    ("delay", "message"),
    [
        (Duration.minutes(14), f"{SECONDS}14 minutes"),
        (Duration.hours(25), f"{SECONDS}1 day 1 hour"),
        (Duration.millis(900_500), f"{SECONDS}15 minutes 500 millis"),
        (
            Duration.hours(Token.as_number({"Ref": "Hours"})),
            "lost_buyer_delay: a CDK token must be given as Duration.seconds, got hours",
        ),
    ],
)
def test_a_delay_that_is_too_short_or_too_long_is_rejected(stack: Stack, delay: Duration, message: str) -> None:
    registration = register(stack)

    assert rejected(lambda: subscribe(stack, registration, lost_buyer_delay=delay)) == message


def test_what_only_a_reconciliation_has_is_rejected_without_one() -> None:
    def without(**parameters: Any) -> str:
        return rejected(lambda: subscribe(Stack(App(), "Stack"), reconciliation=False, **parameters))

    assert without(lost_buyer_delay=Duration.hours(1)) == "lost_buyer_delay: requires reconciliation"
    for name in RECONCILIATION_SIGNALS:
        settings = {"EventsDead": None, name: None}
        assert without(alarm_settings=settings) == f"alarm_settings: {name}: requires reconciliation"


def test_other_alarms_can_be_disabled_without_reconciliation(stack: Stack) -> None:
    subscribed = subscribe(stack, reconciliation=False, alarm_settings={"EventsDead": None})

    assert subscribed.alarms.keys() == SIGNALS.keys() - RECONCILIATION_SIGNALS.keys() - {"EventsDead"}


# --- Alarms, size.


def test_an_unknown_alarm_name_is_rejected(stack: Stack) -> None:
    registration = register(stack)
    settings: Any = {"ResolverSlow": None}

    message = rejected(lambda: subscribe(stack, registration, alarm_settings=settings))

    assert message.startswith("alarm_settings: an alarm must be one of EventsDelayed, ")
    assert message.endswith(", got 'ResolverSlow'")


def test_products_that_leave_no_room_for_the_resolvers_switch_are_rejected(stack: Stack) -> None:
    def registered(construct_id: str, length: int) -> Any:
        return register(stack, construct_id, products={PRODUCT_CODE: LANDING_PAGE + "x" * length})

    with pytest.raises(ValueError, match=r"got (\d+) bytes") as rejection:
        registered("TooLong", 4096)
    room = 4096 - (int(str(rejection.value).split("got ")[1].split()[0]) - 4096)
    registration = registered("Registration", room - 10)

    message = rejected(lambda: subscribe(stack, registration))

    assert message.startswith("products: with the other settings must fit Lambda's 4096 bytes of environment, got ")


def test_the_longest_runbook_url_of_a_registration_fits_the_subscriptions_texts_too(stack: Stack) -> None:
    url = "https://wiki.example.com/runbook"
    with pytest.raises(ValueError, match="must be at most") as rejection:
        register(stack, "TooLong", runbook_url=url + "x" * 2000)
    most = int(str(rejection.value).split("at most ")[1].split()[0])

    subscribe(stack, register(stack, runbook_url=url + "x" * (most - len(url))))

    alarms = properties(Template.from_stack(stack), "AWS::CloudWatch::Alarm")
    assert max(len(alarm["AlarmDescription"]) for alarm in alarms) == 1024


# --- The forwarding.


def forward(stack: Stack, bus: events.IEventBus, **parameters: Any) -> MarketplaceEventForwarding:
    return MarketplaceEventForwarding(stack, "Forwarding", event_bus=bus, **parameters)


def test_forwarding_from_another_region_is_rejected() -> None:
    stack = a_stack("eu-west-1")

    assert rejected(lambda: forward(stack, a_bus(stack, PUBLISHING))) == (
        "scope: must be in the publishing account's stack in us-east-1, where AWS Marketplace puts its events, got a "
        "stack in eu-west-1"
    )


@pytest.mark.parametrize("bus", [a_bus, lambda stack: events.EventBus(stack, "Made")], ids=["imported", "made"])
def test_forwarding_to_a_bus_of_the_same_place_is_rejected(bus: Callable[[Stack], events.IEventBus]) -> None:
    stack = a_stack()

    assert rejected(lambda: forward(stack, bus(stack))) == (
        "event_bus: must be in another account or region, got one in the stack's; MarketplaceSubscriptions reads "
        "the default event bus here without any forwarding"
    )


@pytest.mark.parametrize(("account", "region"), [(PUBLISHING, "us-east-1"), (ACCOUNT, "eu-west-1")])
def test_forwarding_to_another_account_or_region_is_let_through(account: str, region: str) -> None:
    stack = a_stack()

    forward(stack, a_bus(stack, account, region))

    Template.from_stack(stack).resource_count_is("AWS::Events::Rule", 1)


def test_forwarding_from_a_stack_in_no_known_place_is_let_through(stack: Stack) -> None:
    forward(stack, a_bus(stack))


def test_the_forwardings_alarms_are_checked_too() -> None:
    stack = a_stack()
    bus = a_bus(stack, PUBLISHING)
    pager: Any = "arn:aws:sns:us-east-1:111122223333:pager"

    assert rejected(lambda: forward(stack, bus, alarm_actions=[pager])).startswith("alarm_actions: each must be an ")
    assert rejected(lambda: MarketplaceEventForwarding(stack, "Http", event_bus=bus, runbook_url="http://a.b")) == (
        "runbook_url: must be an https URL, got 'http://a.b'"
    )
