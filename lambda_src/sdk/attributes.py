"""DynamoDB's attribute values and Python's; boto3's own conversion would slow every cold start."""

from __future__ import annotations

from typing import Any

AttributeValue = dict[str, Any]


def to_attribute(value: object) -> AttributeValue:
    """Return a value of JSON's kinds, other than null, as DynamoDB's."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        # The shortest text that reads as the same number: 17 digits at most, of the 38 that DynamoDB keeps.
        return {"N": repr(value)}
    if isinstance(value, dict):
        return {"M": {name: to_attribute(member) for name, member in value.items()}}
    if isinstance(value, list):
        return {"L": [to_attribute(element) for element in value]}
    return {"S": value}


def from_attribute(attribute: AttributeValue) -> Any:
    """Return what ``to_attribute`` was given.

    Raises:
        ValueError: it is of a type that ``to_attribute`` does not make.
    """
    ((kind, value),) = attribute.items()
    if kind in {"S", "BOOL"}:
        return value
    if kind == "N":
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    if kind == "M":
        return {name: from_attribute(member) for name, member in value.items()}
    if kind == "L":
        return [from_attribute(element) for element in value]
    raise ValueError(kind)
