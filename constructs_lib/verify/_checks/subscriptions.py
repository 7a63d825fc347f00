"""Checks of subscriptions: from an event in the queue to the seller's target, and what Marketplace answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from constructs_lib.testing.marketplace_events import MarketplaceEventType
from constructs_lib.verify._check import Check, Result, compared

if TYPE_CHECKING:
    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

_BUYER = "000000000002"
_LICENSE = "arn:aws:license-manager::000000000002:license:l-verify"
_HOUR = 3600
_OF_A_MADE_UP_LICENSE = "InvalidParameterException"
"""Whoever is told so was let in."""
_SOURCES = ("marketplace-registration", "aws.marketplacecatalog")


def _event(kind: str, subject: Subject, **changed: str) -> dict[str, Any]:
    """Return an event in Marketplace's envelope, of a made-up purchase."""
    now = datetime.fromtimestamp(subject.clock.time(), UTC)
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000002",
        "detail-type": kind,
        "source": "aws.agreement-marketplace",
        "account": _BUYER,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": subject.region,
        "resources": ["arn:aws:aws-marketplace::aws:agreement:agmt-verify"],
        "detail": {
            "requestId": "verify",
            "catalog": "AWSMarketplace",
            "agreement": {"id": "agmt-verify"},
            "product": {"id": "prod-verify", "code": subject.product_code},
            "license": {"arn": _LICENSE},
            "acceptor": {"accountId": _BUYER},
            "proposer": {"accountId": _BUYER},
            "offer": {"id": "offer-verify"},
        },
        **changed,
    }


def _register_buyer(subject: Subject) -> dict[str, Any]:
    """Write what the resolver writes of a buyer, as nobody can register without a real token; return the key."""
    key = {"CustomerAWSAccountId": {"S": _BUYER}, "ProductLicense": {"S": f"{subject.product_code}#{_LICENSE}"}}
    at = {"S": datetime.fromtimestamp(subject.clock.time(), UTC).isoformat()}
    item = {"ProductCode": {"S": subject.product_code}, "LicenseArn": {"S": _LICENSE}}
    subject.client("dynamodb").put_item(
        TableName=subject.main["TableName"], Item={**key, **item, "RegisteredAt": at, "LastRegisteredAt": at}
    )
    return key


def _told(subject: Subject, kind: str, deadline: Deadline, so_far: str) -> None:
    sqs, url = subject.client("sqs"), subject.main["ToldUrl"]

    def receive() -> list[str]:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        return [json.loads(message["Body"])["detail-type"] for message in messages]

    deadline.until(receive, lambda kinds: kind in kinds, lambda _: f"{so_far}, but no {kind} at the target")


def _subscription_event(subject: Subject, deadline: Deadline) -> Result:
    key = _register_buyer(subject)
    arrived = partial(_arrive, subject, key, deadline)
    ready = arrived("License Updated - Manufacturer", status="ACTIVE", told="Subscription Ready")
    ended = arrived("License Deprovisioned - Manufacturer", status="DEPROVISIONED", told="Subscription Ended")
    return Result(seen=f"{ready}, {ended}", holds=True)


def _arrive(subject: Subject, key: dict[str, Any], deadline: Deadline, kind: str, *, status: str, told: str) -> str:
    """Put an event into the queue, where the rule puts it, and follow it; return what the target is told."""
    dynamodb, table = subject.client("dynamodb"), subject.main["TableName"]

    def recorded() -> str:
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        value: str = item.get("LicenseStatus", {}).get("S", "nothing")
        return value

    subject.client("sqs").send_message(QueueUrl=subject.main["QueueUrl"], MessageBody=json.dumps(_event(kind, subject)))
    deadline.until(recorded, lambda seen: seen == status, lambda seen: f"{kind}: the table says {seen}")
    _told(subject, told, deadline, f"{kind}: the table says {status}")
    return told


def _subscription_rule(subject: Subject, _deadline: Deadline) -> Result:
    events = subject.client("events")
    rule = events.describe_rule(Name=subject.main["RuleName"], EventBusName=subject.main["BusName"])

    def matched(event: dict[str, Any]) -> bool:
        tested = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
        result: bool = tested["Result"]
        return result

    kinds = (*get_args(MarketplaceEventType), "A Kind of Next Year")
    wrong = [f"not matched: {kind}" for kind in kinds if not matched(_event(kind, subject))]
    wrong += [f"matched: source {source}" for source in _SOURCES if matched(_event(kinds[0], subject, source=source))]
    return compared(wrong, f"{len(kinds)} kinds matched, {len(_SOURCES)} other sources not")


def _entitlements(subject: Subject, deadline: Deadline) -> Result:
    lines = deadline.until(
        lambda: subject.lines(subject.main["SubscriberLogGroup"], f'"{_BUYER}"', subject.clock.time() - _HOUR),
        lambda lines: any("get_entitlements_ms" in line for line in lines),
        lambda _: "no call of GetEntitlements in the subscriber's log",
    )
    line = next(line for line in lines if "get_entitlements_ms" in line)
    reason = line.get("reason", "")
    seen = f"{line['outcome']}, because AWS said {reason}" if reason else line["outcome"]
    return Result(seen=seen, holds=line["outcome"] == "license_updated" or reason == _OF_A_MADE_UP_LICENSE)


def _reconciliation(subject: Subject, deadline: Deadline) -> Result:
    start = subject.clock.time()
    # Not awaited: a first run in an account with many agreements takes longer than a call may.
    subject.client("lambda").invoke(FunctionName=subject.main["ReconcilerName"], InvocationType="Event", Payload=b"{}")

    def written() -> list[dict[str, Any]]:
        found = subject.lines(subject.main["ReconcilerLogGroup"], '"outcome"', start)
        # Not those that another check has made up.
        return [line for line in found if "message" in line]

    lines = deadline.until(
        written,
        lambda lines: any(line["message"] == "run" for line in lines),
        lambda lines: f"no end of a run in the reconciler's log, and {len(lines)} findings",
    )
    run = next(line for line in lines if line["message"] == "run")
    reasons = sorted({line["reason"] for line in lines if "reason" in line})
    because = f", because AWS said {', '.join(reasons)}" if reasons else ""
    seen = f"{run['outcome']}{because}, {run.get('search_agreements_calls', 0)} calls of SearchAgreements"
    return Result(seen=seen, holds=run["outcome"] == "finished")


CHECKS = (
    Check(
        name="subscription-event",
        expected="Marketplace's events, put into the queue, reach the table, its stream, the bus and a target",
        seconds=300,
        run=_subscription_event,
    ),
    Check(
        name="subscription-rule",
        expected="the rule's pattern matches every kind of Marketplace's events, and no other source",
        seconds=60,
        run=_subscription_rule,
    ),
    Check(
        name="entitlements",
        expected="GetEntitlements of a made-up license succeeds or calls it invalid, but does not deny the subscriber",
        seconds=300,
        run=_entitlements,
    ),
    Check(
        name="reconciliation",
        expected="a run of the reconciler finishes: SearchAgreements does not deny it",
        seconds=600,
        run=_reconciliation,
    ),
)
