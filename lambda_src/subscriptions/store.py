"""The adapter of DynamoDB."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sdk.attributes import to_attribute
from sdk.registrations import ACTIVE, AGREEMENT_TERMS, PARTITION_KEY, SORT_KEY
from subscriptions.calls import of_table, update
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
        request = update(values)
        request["ExpressionAttributeValues"] |= {name: to_attribute(value) for name, value in (others or {}).items()}
        with self._available():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={name: {"S": value} for name, value in key.items()},
                    ConditionExpression=condition,
                    **request,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            with of_table(self._deadline):
                yield
        except TableUnavailableError as error:
            # An item or a number that is too large: DynamoDB rejects every attempt.
            if error.reason == "ValidationException":
                raise EventMalformedError(error.reason) from None
            raise


def _counts(time: str, decides: str, better: str) -> str:
    """Return the condition that an event is later than the item's, or at the same second the better or the same one."""
    return f"attribute_not_exists({time}) OR {time} < :{time} OR ({time} = :{time} AND {decides} {better} :{decides})"


def _license_key(event: LicenseEvent) -> dict[str, str]:
    return {PARTITION_KEY: event.account, SORT_KEY: f"{event.product_code}#{event.license_arn}"}


def _agreement_key(event: AgreementEvent) -> dict[str, str]:
    return {PARTITION_KEY: event.account, SORT_KEY: f"#{event.agreement_id}"}
