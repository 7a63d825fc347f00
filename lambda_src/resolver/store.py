"""The adapter of DynamoDB."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from resolver.errors import StoreUnavailableError
from resolver.registration import Claim, Customer, Registration
from sdk.errors import CallFailedError, one_kind_of_error
from sdk.registrations import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from sdk.deadline import Deadline

    Item = dict[str, AttributeValueTypeDef]

CLAIM_KEY = "CodeHash"
CLAIM_EXPIRY = "ExpiresAt"
# Not renamed to match the parameter: a record that one release marks must stay claimed for the next.
_CLAIMANT = "Taker"
_SUBSCRIPTION = ("LicenseStatus", "Entitlements")


class DynamoDBStore:
    """Keeps claim records and registrations in two tables.

    Every write is idempotent: the SDK may retry it after a lost response, and so may the caller.

    Args:
        client: boto3's ``dynamodb``.
        registrations_table: name or ARN; key ``CustomerAWSAccountId``, ``ProductLicense``.
        claims_table: name or ARN; key ``CodeHash``, time to live on ``ExpiresAt``.
        deadline: bounds each call.
        subscriptions: whether a subscriber writes to the registrations table too.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        registrations_table: str,
        claims_table: str,
        deadline: Deadline,
        subscriptions: bool = False,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._registrations_table = registrations_table
        self._claims_table = claims_table
        self._subscriptions = subscriptions

    def write_claim(self, code_hash: str, customer: Customer, *, expires_at: int) -> None:
        """Keep a claim record for the customer's registration until ``expires_at`` (seconds since the epoch)."""
        record: Item = {CLAIM_KEY: {"S": code_hash}, CLAIM_EXPIRY: {"N": str(expires_at)}, **_key(customer)}
        with self._available():
            self._client.put_item(TableName=self._claims_table, Item=record)

    def write_registration(self, customer: Customer, *, at: str) -> bool:
        """Create or refresh the customer's registration, leaving every attribute that others wrote.

        Args:
            customer: stored under the Marketplace's own member names, each only if given.
            at: the time now, ISO 8601 in UTC.

        Returns:
            True if it was created: ``RegisteredAt`` is this call's own time, even if the SDK had to retry it.
        """
        values = {**customer, "LastRegisteredAt": at}
        del values[PARTITION_KEY]
        # A purchase that follows a free trial is no trial any more.
        remove = "" if "OfferType" in values else " REMOVE OfferType"
        with self._available():
            response = self._client.update_item(
                TableName=self._registrations_table,
                Key=_key(customer),
                UpdateExpression="SET RegisteredAt = if_not_exists(RegisteredAt, :LastRegisteredAt), "
                + ", ".join(f"{name} = :{name}" for name in values)
                + remove,
                ExpressionAttributeValues={f":{name}": {"S": str(value)} for name, value in values.items()},
                ReturnValues="ALL_NEW",
            )
        if "RegisteredAt" not in response.get("Attributes", {}):
            raise StoreUnavailableError("UnusableResponseError")
        # Others may have written another type.
        return response["Attributes"]["RegisteredAt"].get("S") == at

    def read_claim(self, code_hash: str, *, now: int) -> Claim | None:
        """Return the registration that an unexpired claim record refers to, or None."""
        from sdk.items import read_item  # noqa: PLC0415 - a registration, most often a cold start, does without it

        with self._available():
            record = self._client.get_item(
                TableName=self._claims_table, Key={CLAIM_KEY: {"S": code_hash}}, ConsistentRead=True
            ).get("Item")
            key = _unexpired_key(record, now) if record else None
            if key is None:
                return None
            item = self._client.get_item(TableName=self._registrations_table, Key=key, ConsistentRead=True).get("Item")
            # Where subscriptions are used, an item alone is no registration: it may be a license's.
            if item is None or (self._subscriptions and "RegisteredAt" not in item):
                return None
            attributes = read_item(item)
            registration = {name: attributes[name] for name in Registration.__annotations__ if name in attributes}
            if self._subscriptions:
                known = self._legacy_subscription(key) if key[SORT_KEY]["S"].endswith("#") else attributes
                registration |= {name: known[name] for name in _SUBSCRIPTION if name in known}
        return cast("Claim", registration)

    def take_claim(self, code_hash: str, *, claimant: str, now: int) -> bool:
        """Claim the record; false if it is gone, expired or claimed by another. The same claimant may retry."""
        with self._available():
            try:
                self._client.update_item(
                    TableName=self._claims_table,
                    Key={CLAIM_KEY: {"S": code_hash}},
                    UpdateExpression=f"SET {_CLAIMANT} = :claimant",
                    ConditionExpression=f"{CLAIM_EXPIRY} > :now AND (attribute_not_exists({_CLAIMANT}) "
                    f"OR {_CLAIMANT} = :claimant)",
                    ExpressionAttributeValues={":claimant": {"S": claimant}, ":now": {"N": str(now)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _legacy_subscription(self, key: Item) -> Mapping[str, object]:
        """Return what the product's licenses, items of their own, say about a registration without one."""
        from sdk.items import combine, query  # noqa: PLC0415 - as in read_claim

        prefix = key[SORT_KEY]["S"]
        items = query(self._client, self._registrations_table, key[PARTITION_KEY]["S"], prefix)
        return combine(item for item in items if item[SORT_KEY] != prefix)

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            with one_kind_of_error(self._deadline):
                yield
        except CallFailedError as failure:
            raise StoreUnavailableError(failure.reason) from None


def _unexpired_key(record: Item, now: int) -> Item | None:
    """Return the key of the registration that a claim record refers to; None if it has expired or is not ours."""
    if not all("S" in record.get(name, {}) for name in (PARTITION_KEY, SORT_KEY)):
        return None
    # Time to live deletes late, by days at worst.
    expires_at = record.get(CLAIM_EXPIRY, {}).get("N", "")
    if not expires_at.isdecimal() or int(expires_at) <= now:
        return None
    return {name: record[name] for name in (PARTITION_KEY, SORT_KEY)}


def _key(customer: Customer) -> Item:
    return {
        PARTITION_KEY: {"S": customer["CustomerAWSAccountId"]},
        SORT_KEY: {"S": f"{customer['ProductCode']}#{customer.get('LicenseArn', '')}"},
    }
