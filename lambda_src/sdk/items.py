"""Reading of the registrations table's items, and of the subscriptions that they make.

Apart from ``sdk.registrations``: a registration and an event of Marketplace read no item, and start without this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdk.attributes import from_attribute
from sdk.registrations import ACTIVE, DEPROVISIONED, PARTITION_KEY, SORT_KEY, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sdk.attributes import AttributeValue
    from sdk.registrations import Entitlement, Item


def read_item(attributes: Mapping[str, Any]) -> Item:
    """Return an item's public attributes, each only in the type that this library writes: the rest belongs to others.

    A license item that the resolver has not written gets its ``ProductCode`` and ``LicenseArn`` from its key.
    """
    item: Item = {name: attributes[name]["S"] for name in (*TEXTS, SORT_KEY) if "S" in attributes.get(name, {})}
    product_code, _, license_arn = item.get(SORT_KEY, "").partition("#")
    if product_code:
        item.setdefault("ProductCode", product_code)
        if license_arn:
            item.setdefault("LicenseArn", license_arn)
    entitlements = read_entitlements(attributes.get("Entitlements", {}))
    if entitlements is not None:
        item["Entitlements"] = entitlements
    return item


def read_entitlements(attribute: AttributeValue) -> list[Entitlement] | None:
    """Return the entitlements that the subscriber stored, or None if it is not what it stores."""
    try:
        value = from_attribute(attribute)
    except ValueError:
        return None
    if isinstance(value, list) and all(isinstance(element, dict) and "Dimension" in element for element in value):
        return value
    return None


def product_prefix(product_code: str) -> str:
    """Return how the keys of a product's items begin, and the whole key of its legacy registration."""
    return f"{product_code}#"


def is_active(item: Item | None) -> bool:
    """Tell whether an item is a license that entitles its buyer to use the product."""
    return item is not None and item.get("LicenseStatus") == ACTIVE


def combine(licenses: Iterable[Item]) -> Item:
    """Return the attributes that a product's licenses give a legacy registration: active while one of them is.

    Its entitlements are those of all active licenses; nothing is known if there is no license.
    """
    known = sorted((item for item in licenses if "LicenseStatus" in item), key=lambda item: str(item[SORT_KEY]))
    if not known:
        return {}
    active = [item for item in known if is_active(item)]
    combined: Item = {
        "LicenseStatus": ACTIVE if active else DEPROVISIONED,
        "LicenseStatusAt": max(str(item.get("LicenseStatusAt", "")) for item in active or known),
    }
    if any("Entitlements" in item for item in active):
        combined["Entitlements"] = [each for item in active for each in item.get("Entitlements", ())]
    return combined


def query(client: Any, table: str, account: str, prefix: str = "") -> list[Item]:
    """Return the items of a buyer's partition whose keys begin with ``prefix``, all pages, read consistently."""
    return [read_item(attributes) for attributes in query_attributes(client, table, account, prefix)]


def query_attributes(client: Any, table: str, account: str, prefix: str = "") -> list[Mapping[str, Any]]:
    """Return the same items with all their attributes, as DynamoDB has them."""
    condition, values = f"{PARTITION_KEY} = :account", {":account": {"S": account}}
    if prefix:
        condition += f" AND begins_with({SORT_KEY}, :prefix)"
        values[":prefix"] = {"S": prefix}
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }
    items: list[Mapping[str, Any]] = []
    while True:
        page = client.query(**request)
        items += page.get("Items", ())
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
