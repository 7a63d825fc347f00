"""In-memory collaborators of the subscriber's and the publisher's rules.

tests/subscription_cases.py holds the table to DynamoDB's behavior.
"""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from publisher.errors import TableUnavailableError as PublisherTableUnavailableError
from publisher.publications import Change
from sdk.attributes import to_attribute
from sdk.registrations import AGREEMENT_TERMS, PARTITION_KEY, SORT_KEY
from subscriptions.errors import SubscriptionError, TableUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from publisher.delivery import Entry
    from publisher.errors import PublisherError
    from sdk.registrations import Entitlement, Item
    from subscriptions.rules import AgreementEvent, LicenseEvent

TABLE_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/registrations"


@dataclass
class FakeTable:
    """The registrations table, and its stream: the changes of each item in order."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    stream: dict[tuple[str, str], list[Change]] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    fail_at: str | None = None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def write_license(self, event: LicenseEvent) -> bool:
        self._fail("write_license")
        values = {
            "LicenseStatus": event.status,
            "LicenseStatusAt": event.at,
            "LicenseAgreementId": event.agreement_id,
            "ProductId": event.product_id,
        }
        if event.status != "ACTIVE":
            values |= {"Entitlements": None, "EntitlementsAt": None}
        return self._write(
            _license_key(event),
            values,
            lambda item: (item.get("LicenseStatusAt", ""), item.get("LicenseStatus", "")) <= (event.at, event.status),
        )

    def write_entitlements(self, event: LicenseEvent, entitlements: list[Entitlement]) -> bool:
        self._fail("write_entitlements")
        return self._write(
            _license_key(event),
            {"Entitlements": entitlements, "EntitlementsAt": event.at},
            lambda item: (item.get("LicenseStatusAt"), item.get("LicenseStatus")) == (event.at, event.status),
        )

    def write_agreement_status(self, event: AgreementEvent) -> bool:
        self._fail("write_agreement_status")
        return self._write(
            (event.account, f"#{event.agreement_id}"),
            {"AgreementStatus": event.status, "AgreementStatusAt": event.at},
            lambda item: (
                (item.get("AgreementStatusAt", ""), item.get("AgreementStatus", "")) <= (event.at, event.status)
            ),
        )

    def write_agreement_terms(self, event: AgreementEvent, terms: Mapping[str, str]) -> bool:
        self._fail("write_agreement_terms")

        def counts(item: Item) -> bool:
            at = item.get("AgreementTermsAt", "")
            return bool(at < event.at or (at == event.at and item["AgreementIntent"] >= terms["AgreementIntent"]))

        return self._write(
            (event.account, f"#{event.agreement_id}"),
            {**{name: terms.get(name) for name in AGREEMENT_TERMS}, "AgreementTermsAt": event.at},
            counts,
        )

    def register(self, account: str, product_code: str, license_arn: str = "", *, at: str, **more: str) -> None:
        """Write as the resolver does."""
        key = account, f"{product_code}#{license_arn}"
        first = self.items.get(key, {}).get("RegisteredAt", at)
        self._write(key, {**more, "RegisteredAt": first, "LastRegisteredAt": at}, lambda _: True)

    def delete(self, account: str, sort_key: str) -> None:
        """Delete an item as a seller may."""
        old = self.items.pop((account, sort_key), None)
        if old is not None:
            self._changed((account, sort_key), old, None)

    def read(self, account: str, prefix: str = "") -> list[Item]:
        if self.fail_at == "read":
            raise PublisherTableUnavailableError("InternalServerError")
        self.reads.append(prefix)
        return [
            dict(item) for key, item in sorted(self.items.items()) if key[0] == account and key[1].startswith(prefix)
        ]

    def _write(self, key: tuple[str, str], values: Mapping[str, Any], condition: Callable[[Item], bool]) -> bool:
        old = self.items.get(key)
        if not condition(old or {}):
            return False
        account, sort_key = key
        product_code, _, license_arn = sort_key.partition("#")
        from_key = {"ProductCode": product_code, "LicenseArn": license_arn if product_code else ""}
        new = {
            PARTITION_KEY: account,
            SORT_KEY: sort_key,
            **{name: value for name, value in from_key.items() if value},
            **(old or {}),
            **values,
        }
        self.items[key] = {name: value for name, value in new.items() if value is not None}
        if self.items[key] != old:
            self._changed(key, old, self.items[key])
        return True

    def _changed(self, key: tuple[str, str], old: Item | None, new: Item | None) -> None:
        change = Change(record_id=f"record-{next(self._numbers)}", account=key[0], sort_key=key[1], old=old, new=new)
        self.stream.setdefault(key, []).append(change)

    def _fail(self, call: str) -> None:
        if self.fail_at == call:
            raise TableUnavailableError("InternalServerError")


@dataclass
class FakeProductCodes:
    """The product code of each product ID."""

    of: dict[str, str] = field(default_factory=dict)
    failing: bool = False

    def record(self, product_id: str, product_code: str) -> None:
        if self.failing:
            raise TableUnavailableError("InternalServerError")
        self.of[product_id] = product_code


@dataclass
class FakeEntitlements:
    """Marketplace's entitlement service: the entitlements of each license, or an error."""

    of: dict[str, list[Entitlement] | SubscriptionError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def of_license(self, product_code: str, license_arn: str) -> list[Entitlement]:
        self.asked.append((product_code, license_arn))
        entitlements = self.of.get(license_arn, [])
        if isinstance(entitlements, SubscriptionError):
            raise entitlements
        return list(entitlements)


@dataclass
class FakeEventBus:
    """A bus that accepts what it is put, except for what ``decide`` gives a failure for."""

    decide: Callable[[Entry], PublisherError | None] = lambda _: None
    calls: list[list[Entry]] = field(default_factory=list)
    accepted: list[Entry] = field(default_factory=list)

    def put(self, entries: Sequence[Entry]) -> list[PublisherError | None]:
        self.calls.append(list(entries))
        failures = [self.decide(entry) for entry in entries]
        self.accepted += [entry for entry, failure in zip(entries, failures, strict=True) if failure is None]
        return failures

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.accepted]

    @property
    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry.detail) for entry in self.accepted]


def batch_of(events: Iterable[Mapping[str, Any] | str]) -> dict[str, Any]:
    """Return messages as SQS gives them to Lambda."""
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": "handle",
                "body": event if isinstance(event, str) else json.dumps(event),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:444455556666:events",
                "awsRegion": "us-east-1",
            }
            for event in events
        ]
    }


def image(item: Item) -> dict[str, Any]:
    return {name: to_attribute(value) for name, value in item.items()}


def record_of(change: Change) -> dict[str, Any]:
    """Return a change as the stream gives it to Lambda."""
    name = "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY"
    return {
        "eventID": change.record_id,
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "eventSourceARN": f"{TABLE_ARN}/stream/2026-11-23T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795392000,
            "Keys": {PARTITION_KEY: {"S": change.account}, SORT_KEY: {"S": change.sort_key}},
            **({"OldImage": image(change.old)} if change.old is not None else {}),
            **({"NewImage": image(change.new)} if change.new is not None else {}),
            "SequenceNumber": change.record_id.replace("record-", "1000"),
            "SizeBytes": 200,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def stream_batch_of(changes: Iterable[Change]) -> dict[str, Any]:
    return {"Records": [record_of(change) for change in changes]}


def _license_key(event: LicenseEvent) -> tuple[str, str]:
    return event.account, f"{event.product_code}#{event.license_arn}"
