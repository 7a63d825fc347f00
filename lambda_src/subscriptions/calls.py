"""Calls to AWS, each of whose failures is one that recording expects."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sdk.attributes import to_attribute
from sdk.errors import CallFailedError, one_kind_of_error
from subscriptions.errors import (
    MarketplaceDeniedError,
    MarketplaceThrottledError,
    MarketplaceUnavailableError,
    TableUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdk.deadline import Deadline


@contextmanager
def of_marketplace(deadline: Deadline) -> Iterator[None]:
    """Bound a call to AWS Marketplace, and raise one of the Marketplace errors for every way in which it can fail."""
    try:
        with one_kind_of_error(deadline):
            yield
    except CallFailedError as failure:
        error = failure.choose(
            throttled=MarketplaceThrottledError,
            unavailable=MarketplaceUnavailableError,
            otherwise=MarketplaceDeniedError,
        )
        raise error(failure.reason) from None


@contextmanager
def of_table(deadline: Deadline) -> Iterator[None]:
    """Bound a call to DynamoDB, and raise TableUnavailableError for every way in which it can fail."""
    try:
        with one_kind_of_error(deadline):
            yield
    except CallFailedError as failure:
        raise TableUnavailableError(failure.reason) from None


def update(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the members of an UpdateItem request that set attributes, or remove those that are None."""
    given = {name: value for name, value in values.items() if value is not None}
    removed = [name for name, value in values.items() if value is None]
    clauses = [f"SET {', '.join(f'{name} = :{name}' for name in given)}"] if given else []
    clauses += [f"REMOVE {', '.join(removed)}"] if removed else []
    members: dict[str, Any] = {"UpdateExpression": " ".join(clauses)}
    if given:
        members["ExpressionAttributeValues"] = {f":{name}": to_attribute(value) for name, value in given.items()}
    return members
