"""The adapter of DynamoDB."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sdk.attributes import to_attribute
from sdk.errors import CallFailedError, one_kind_of_error
from sdk.registrations import ACTIVE, AGREEMENT_TERMS, PARTITION_KEY, SORT_KEY
from subscriptions.errors import EventMalformedError, TableUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from sdk.deadline import Deadline
    from sdk.registrations import Entitlement
    from subscriptions.rules import AgreementEvent, LicenseEvent


class DynamoDBStore:
    """Keeps licenses and agreements in the registrations table, and writes no attribute that the resolver writes.

    Every write is idempotent: a repeat writes the same values, of which the table's stream says nothing.

    Args:
        client: boto3's ``dynamodb``.
        table: name or ARN of the registrations table.
        deadline: bounds each call.
    """

    def __init__(self, client: DynamoDBClient, *, table: str, deadline: Deadline) -> None:
        self._client = client
        self._table = table
        self._deadline = deadline

    def write_license(self, event: LicenseEvent) -> bool:
        """Store a license's status; a license that is not active has no entitlements."""
        values = {
            "LicenseStatus": event.status,
            "LicenseStatusAt": event.at,
            "LicenseAgreementId": event.agreement_id,
            "ProductId": event.product_id,
        }
        if event.status != ACTIVE:
            values |= {"Entitlements": None, "EntitlementsAt": None}
        return self._write(_license_key(event), values, _counts("LicenseStatusAt", "LicenseStatus", "<="))

    def write_entitlements(self, event: LicenseEvent, entitlements: list[Entitlement]) -> bool:
        """Store a license's entitlements, if its status is still this event's."""
        return self._write(
            _license_key(event),
            {"Entitlements": entitlements, "EntitlementsAt": event.at},
            "LicenseStatusAt = :EntitlementsAt AND LicenseStatus = :active",
            {":active": event.status},
        )

    def write_agreement_status(self, event: AgreementEvent) -> bool:
        """Store an agreement's status."""
        return self._write(
            _agreement_key(event),
            {"AgreementStatus": event.status, "AgreementStatusAt": event.at},
            _counts("AgreementStatusAt", "AgreementStatus", "<="),
        )

    def write_agreement_terms(self, event: AgreementEvent, terms: Mapping[str, str]) -> bool:
        """Store an agreement's terms, which have a time of their own; at the same time an amendment wins."""
        values = {name: terms.get(name) for name in AGREEMENT_TERMS}
        # AMEND is the least of the intents.
        return self._write(
            _agreement_key(event),
            {**values, "AgreementTermsAt": event.at},
            _counts("AgreementTermsAt", "AgreementIntent", ">="),
        )

    def _write(
        self, key: dict[str, str], values: Mapping[str, object], condition: str, others: Mapping[str, str] | None = None
    ) -> bool:
        """Set attributes, or remove those that are None, and tell whether the condition allowed it."""
        given = {name: value for name, value in values.items() if value is not None}
        removed = [name for name, value in values.items() if value is None]
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": {name: {"S": value} for name, value in key.items()},
            "UpdateExpression": "SET "
            + ", ".join(f"{name} = :{name}" for name in given)
            + (f" REMOVE {', '.join(removed)}" if removed else ""),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {
                name: to_attribute(value)
                for name, value in [*((f":{name}", value) for name, value in given.items()), *(others or {}).items()]
            },
        }
        with self._available():
            try:
                self._client.update_item(**request)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            with one_kind_of_error(self._deadline):
                yield
        except CallFailedError as failure:
            # An item or a number that is too large: DynamoDB rejects every attempt.
            if failure.reason == "ValidationException":
                raise EventMalformedError(failure.reason) from None
            raise TableUnavailableError(failure.reason) from None


def _counts(time: str, decides: str, better: str) -> str:
    """Return the condition that an event is later than the item's, or at the same second the better or the same one."""
    return f"attribute_not_exists({time}) OR {time} < :{time} OR ({time} = :{time} AND {decides} {better} :{decides})"


def _license_key(event: LicenseEvent) -> dict[str, str]:
    return {PARTITION_KEY: event.account, SORT_KEY: f"{event.product_code}#{event.license_arn}"}


def _agreement_key(event: AgreementEvent) -> dict[str, str]:
    return {PARTITION_KEY: event.account, SORT_KEY: f"#{event.agreement_id}"}
