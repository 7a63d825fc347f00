"""Checks of the parameters of the subscriptions' constructs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk.region_info import RegionInfo

from constructs_lib._parameters import ACTIONS, ALARM_SETTINGS, RUNBOOK_URL, differ, validate_seconds
from constructs_lib._types import BOOLEAN, CONSTRUCT_ID, SCOPE, Kind, duration, implementation, instance, text
from constructs_lib.registration.marketplace_registration import MarketplaceRegistration
from constructs_lib.subscriptions._signals import RECONCILIATION_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk import aws_iam as iam

_EVENT_BUS = implementation(
    'an event bus, such as EventBus.from_event_bus_name(stack, "Bus", name)', "grant_put_events_to", events.IEventBus
)

PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "registration": instance("a MarketplaceRegistration", MarketplaceRegistration),
    "event_bus": _EVENT_BUS.or_none(),
    "publication_event_bus": _EVENT_BUS.or_none(),
    "reconciliation": BOOLEAN.or_none(),
    "lost_buyer_delay": duration("Duration.hours(1)").or_none(),
    "alarm_settings": ALARM_SETTINGS,
}
"""The kind of each parameter of ``MarketplaceSubscriptions``."""

RULE_PARAMETERS: Mapping[str, Kind] = {
    "construct_id": CONSTRUCT_ID,
    "target": implementation(
        "a target, such as aws_events_targets.SqsQueue(queue)", "bind", events.IRuleTarget
    ).or_none(),
    "description": text("Gives the buyer access").or_none(),
}
"""The kind of each parameter of the methods that make a rule."""

FORWARDING_PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "event_bus": _EVENT_BUS,
    "alarm_actions": ACTIONS,
    "ok_actions": ACTIONS,
    "runbook_url": RUNBOOK_URL,
}
"""The kind of each parameter of ``MarketplaceEventForwarding``."""

# Where Marketplace puts its events, by partition. For China, AWS documents nothing.
_EVENT_REGIONS: Mapping[str | None, str] = {"aws": "us-east-1", "aws-eusc": "eusc-de-east-1"}

# https://docs.aws.amazon.com/general/latest/gr/aws-marketplace.html
_ENTITLEMENT_REGIONS: Mapping[str | None, str] = {"aws-cn": "cn-northwest-1", "aws-eusc": "eusc-de-east-1"}
_AGREEMENT_REGIONS: Mapping[str | None, str | None] = {"aws-cn": None, "aws-eusc": "eusc-de-east-1"}
_DEFAULT_REGION = "us-east-1"

_SHORTEST_DELAY, _DEFAULT_DELAY, _LONGEST_DELAY = Duration.minutes(15), Duration.hours(1), Duration.hours(24)

_FORWARD = (
    "deploy MarketplaceEventForwarding in the publishing account's stack there, and pass the bus that it forwards to"
)


def entitlements_region(marketplace_region: str) -> str:
    """Return where GetEntitlements is available to the credentials that are valid in a region."""
    return _ENTITLEMENT_REGIONS.get(_partition(marketplace_region), _DEFAULT_REGION)


def _partition(region: str) -> str | None:
    return None if Token.is_unresolved(region) else RegionInfo.get(region).partition


def checked_agreements_region(marketplace_region: str, *, reconciliation: bool | None) -> str | None:
    """Return where to call the Agreement API, None without reconciliation; reject it where there is no such API."""
    region = _AGREEMENT_REGIONS.get(_partition(marketplace_region), _DEFAULT_REGION)
    if reconciliation and region is None:
        raise ValueError(
            "reconciliation: must be False or None in China, where AWS Marketplace has no Agreement API, got True with "
            f"the marketplace_region {marketplace_region}"
        )
    return None if reconciliation is False else region


def checked_lost_buyer_delay(delay: Duration | None, *, reconciliation: bool) -> Duration:
    """Return after what time a buyer is lost; reject one that nothing looks at, or that is too short or too long."""
    if delay is not None and not reconciliation:
        raise ValueError("lost_buyer_delay: requires reconciliation")
    delay = delay or _DEFAULT_DELAY
    validate_seconds("lost_buyer_delay", delay, _SHORTEST_DELAY, _LONGEST_DELAY)
    return delay


def validate_alarms_of_reconciliation(names: Iterable[str]) -> None:
    """Reject settings of an alarm that only a reconciliation has."""
    for name in names:
        if name in RECONCILIATION_SIGNALS:
            raise ValueError(f"alarm_settings: {name}: requires reconciliation")


def validate_registration(registration: MarketplaceRegistration, stack: Stack) -> None:
    """Reject a registration elsewhere: the functions read its table and its stream in their own account and region."""
    of_registration = Stack.of(registration)
    for name in ("account", "region"):
        there, here = getattr(of_registration, name), getattr(stack, name)
        if differ(there, here):
            raise ValueError(f"registration: must be in the {name} of the stack, {here}, got one in {there}")


def validate_event_bus(name: str, event_bus: events.IEventBus | None, stack: Stack) -> None:
    """Reject a bus elsewhere: a rule is in the account and region of its bus."""
    if event_bus is None:
        return
    for part, of_bus, of_stack in (
        ("account", event_bus.env.account, stack.account),
        ("region", event_bus.env.region, stack.region),
    ):
        if differ(of_bus, of_stack):
            raise ValueError(
                f"{name}: must be in the {part} of the stack, {of_stack}, where its rule is made, got one in {of_bus}"
            )


def validate_default_bus(stack: Stack, seller_role: iam.IRole | None) -> None:
    """Reject the default bus where it is known that Marketplace puts no event on it, or not known that it does."""
    region = _event_region(stack)
    if differ(stack.region, region):
        raise ValueError(
            f"event_bus: required in a stack in {stack.region}, because AWS Marketplace puts its events on the default "
            f"event bus in {region} only; {_FORWARD}"
        )
    if seller_role and seller_role.env.account != stack.account:
        raise ValueError(
            "event_bus: required with a seller_role, unless its account is known to be the stack's, because AWS "
            f"Marketplace puts its events on the publishing account's default event bus in {region}; {_FORWARD}"
        )


def validate_forwarding(stack: Stack, event_bus: events.IEventBus) -> None:
    """Reject a stack where there is nothing to forward, and a bus that needs no forwarding."""
    region = _event_region(stack)
    if differ(stack.region, region):
        raise ValueError(
            f"scope: must be in the publishing account's stack in {region}, where AWS Marketplace puts its events, got "
            f"a stack in {stack.region}"
        )
    if (event_bus.env.account, event_bus.env.region) == (stack.account, stack.region):
        raise ValueError(
            "event_bus: must be in another account or region, got one in the stack's; MarketplaceSubscriptions reads "
            "the default event bus here without any forwarding"
        )


def _event_region(stack: Stack) -> str:
    if Token.is_unresolved(stack.region):
        return _EVENT_REGIONS["aws"]
    return _EVENT_REGIONS.get(RegionInfo.get(stack.region).partition, stack.region)


def stream_of(table: dynamodb.ITableV2) -> str:
    """Return the ARN of a table's stream.

    Raises:
        ValueError: it is not known, or the stream has too little in it.
    """
    resource: Any = table.node.default_child
    view = None
    if isinstance(resource, dynamodb.CfnTable | dynamodb.CfnGlobalTable):
        # The property itself cannot be read where a TableV2 fills it in at synth.
        specification = resource._cfn_properties.get("streamSpecification")  # noqa: SLF001
        view = (resource.stack.resolve(specification) or {}).get("streamViewType", "none")
    stream_arn = None if view == "none" else table.table_stream_arn
    if stream_arn is None:
        raise ValueError(
            "registration: its table must have a stream with new and old images, got one without a stream that is "
            "known; set dynamo_stream=StreamViewType.NEW_AND_OLD_IMAGES where the table is made, and import it as "
            'TableV2.from_table_attributes(stack, "Table", table_arn=…, table_stream_arn=…)'
        )
    if view not in {None, "NEW_AND_OLD_IMAGES"}:
        raise ValueError(f"registration: its table's stream must have the view type NEW_AND_OLD_IMAGES, got {view}")
    return stream_arn
