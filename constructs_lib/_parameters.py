"""Checks of parameters that more than one construct has; a CDK token passes, as its value is not known at synth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aws_cdk import Annotations, RemovalPolicy, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.region_info import RegionInfo

from constructs_lib._marketplace_regions import MARKETPLACE_REGIONS
from constructs_lib._types import check_type, implementation, mapping, sequence, text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_kms as kms
    from constructs import Construct

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[1-9]")

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def validate_url(name: str, url: str | None, *schemes: str) -> None:
    """Reject a URL that leads nowhere, or that could end or extend the header or page that it is put into."""
    if url is None or Token.is_unresolved(url):
        return
    if not (_leads_somewhere(url, schemes) and _is_plain(url)):
        raise ValueError(f"{name} must be an {' or '.join(schemes)} URL, got {url!r}")


def _leads_somewhere(url: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        # Accessing .port raises ValueError if the port is invalid.
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.path if parts.scheme == "mailto" else host)


def _is_plain(url: str) -> bool:
    """Tell whether nothing in the URL could end it or start another line of a header."""
    return url.isascii() and url.isprintable() and " " not in url


_ACTION = implementation("an action, such as aws_cloudwatch_actions.SnsAction(topic)", "bind", cloudwatch.IAlarmAction)

ACTIONS = sequence("a list of actions, such as [aws_cloudwatch_actions.SnsAction(topic)]")
RUNBOOK_URL = text("https://wiki.example.com/runbook").or_none()
ALARM_SETTINGS = mapping('a dict, such as {"ResolverSlow": AlarmSettings(threshold=9000)}').or_none()


def differ(one: str, other: str) -> bool:
    """Tell whether two names are known and different."""
    return one != other and not Token.is_unresolved(one) and not Token.is_unresolved(other)


def validate_external_id(name: str, external_id: str | None) -> None:
    """Reject what STS rejects, in particular an empty ID, which would otherwise be treated as not set."""
    if external_id is None or Token.is_unresolved(external_id) or _EXTERNAL_ID.fullmatch(external_id):
        return
    raise ValueError(f"{name}: must be 2 to 1224 characters out of letters, digits and _+=,.@:/-, got {external_id!r}")


def validate_marketplace_region(scope: Construct, marketplace_region: str) -> None:
    """Reject a region without ResolveCustomer, or where no credentials of the stack's partition are valid.

    A region that may have come after this release is let through with a warning.
    """
    if Token.is_unresolved(marketplace_region):
        return
    partition = RegionInfo.get(marketplace_region).partition
    known = marketplace_region in MARKETPLACE_REGIONS
    if not known and not (_REGION.fullmatch(marketplace_region) and _has_marketplace(partition)):
        raise ValueError(
            f"marketplace_region: must be one of {', '.join(sorted(MARKETPLACE_REGIONS))}, got {marketplace_region!r}"
        )
    _validate_partition(marketplace_region, partition, Stack.of(scope).region)
    if not known:
        Annotations.of(scope).add_warning_v2(
            "marketplace-registration:marketplaceRegion",
            f"marketplace_region: this release knows no ResolveCustomer in {marketplace_region!r}. If that is not a "
            "region newer than the release, every buyer gets an error page.",
        )


def _has_marketplace(partition: str | None) -> bool:
    """Tell whether a partition has Marketplace; one that the CDK does not know may have it."""
    return partition in {None, *(RegionInfo.get(region).partition for region in MARKETPLACE_REGIONS)}


def _validate_partition(marketplace_region: str, partition: str | None, stack_region: str) -> None:
    of_stack = None if Token.is_unresolved(stack_region) else RegionInfo.get(stack_region).partition
    if None in {partition, of_stack} or partition == of_stack:  # a region newer than the CDK has no known partition
        return
    valid = sorted(region for region in MARKETPLACE_REGIONS if RegionInfo.get(region).partition == of_stack)
    raise ValueError(
        f"marketplace_region: must be in the partition of the stack, {of_stack}, where ResolveCustomer is available in "
        f"{', '.join(valid) or 'no region'}, got {marketplace_region!r}"
    )


def validate_seconds(name: str, value: Duration, shortest: Duration, longest: Duration) -> None:
    """Reject what a function cannot count in whole seconds, and what is too short or too long for it."""
    if value.is_unresolved():
        if value.unit_label() != "seconds":
            raise ValueError(f"{name}: a CDK token must be given as Duration.seconds, got {value.unit_label()}")
        return
    seconds = value.to_seconds(integral=False)
    if not (shortest.to_seconds() <= seconds <= longest.to_seconds() and seconds == int(seconds)):
        raise ValueError(
            f"{name}: must be whole seconds, from {shortest.to_human_string()} to {longest.to_human_string()}, got "
            f"{value.to_human_string()}"
        )


def validate_encryption_key(key: kms.IKey | None, stack_region: str) -> None:
    """Reject a key where the CDK cannot render a table's reference to it."""
    if key and Token.is_unresolved(stack_region):
        raise ValueError(
            "encryption_key: requires a stack with an explicit env.region, because the CDK cannot render the table's "
            "key without one; got an environment-agnostic stack"
        )


def validate_removal_policy(removal_policy: RemovalPolicy) -> None:
    """Reject the policy that tables and log groups do not have."""
    if removal_policy is RemovalPolicy.SNAPSHOT:
        allowed = ", ".join(policy.name for policy in RemovalPolicy if policy is not RemovalPolicy.SNAPSHOT)
        raise ValueError(
            f"removal_policy: must be one of {allowed}, because tables and logs have no snapshots, got SNAPSHOT"
        )


def validate_alarms(
    *, alarm_actions: Sequence[object], ok_actions: Sequence[object], alarm_settings: Mapping[Any, object]
) -> None:
    """Reject what is no action, and what is no alarm's name."""
    for name, actions in (("alarm_actions: each", alarm_actions), ("ok_actions: each", ok_actions)):
        for action in actions:
            check_type(name, action, _ACTION)
    for alarm in alarm_settings:
        check_type("alarm_settings: an alarm's name", alarm, text("ResolverSlow"))


def validate_alarm_names(names: Iterable[str], known: Collection[str]) -> None:
    """Reject settings of an alarm that does not exist."""
    for name in names:
        if name not in known:
            raise ValueError(f"alarm_settings: an alarm must be one of {', '.join(known)}, got {name!r}")
