"""GetEntitlements: its filters, its pages and the requests that it rejects."""

import json
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from typing import Any

from constructs_lib.testing._aws_service import AwsResponse, aws_error, read_request, signature_error
from constructs_lib.testing._stand_in import Response, signature
from constructs_lib.testing.entitlement_service import EntitlementService, GetEntitlementsCall

_REGIONS = frozenset({"us-east-1", "cn-northwest-1", "eusc-de-east-1"})

_MAX_RESULTS = 25
_MAX_PRODUCT_CODE = 255
_FILTERS = {
    "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
    "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
    "DIMENSION": "Dimension",
    "LICENSE_ARN": "LicenseArn",
}
_TYPES: Mapping[str, type] = {"ProductCode": str, "Filter": dict, "MaxResults": int, "NextToken": str}


class GetEntitlements(EntitlementService):
    """Responds to GetEntitlements.

    Args:
        granted: Returns all entitlements in ascending order of their numbers, which are never used again.
    """

    def __init__(self, granted: Callable[[], Mapping[int, Mapping[str, Any]]]) -> None:
        super().__init__()
        self._granted = granted

    def respond(self, headers: Message, body: bytes) -> Response:
        """Respond to a request."""
        authorization = headers.get("Authorization")
        signed = signature(authorization)
        request = read_request(body)
        members = {} if isinstance(request, Response) else request
        response = signature_error(authorization, signed, _REGIONS) or self._with_fault(
            lambda: request if isinstance(request, Response) else self._page(request)
        )
        with self._lock:
            self._calls.append(
                GetEntitlementsCall(
                    request=members,
                    access_key_id=signed and signed["access_key_id"],
                    region=signed and signed["region"],
                    outcome="ConnectionClosed" if response.closes_connection else str(response.outcome),
                )
            )
        return response

    def _page(self, request: dict[str, Any]) -> Response:
        given = {name: value for name, value in request.items() if value is not None}
        if error := _type_error(given) or _value_error(given):
            return error
        product_code, filters = given["ProductCode"], given.get("Filter", {})
        found = [
            ((number,), entitlement)
            for number, entitlement in self._granted().items()
            if entitlement["ProductCode"] == product_code and _matches(entitlement, filters)
        ]
        size = given.get("MaxResults", _MAX_RESULTS)
        page = self._pages.page([product_code, filters], given.get("NextToken"), found, size)
        if page is None:
            return _invalid("NextToken is not valid for this request.")
        entitlements, token = page
        body: dict[str, Any] = {"Entitlements": entitlements}
        if token is not None:
            body["NextToken"] = token
        return AwsResponse(body=json.dumps(body).encode())


def _matches(entitlement: Mapping[str, Any], filters: Mapping[str, Sequence[str]]) -> bool:
    return all(entitlement.get(_FILTERS[name]) in values for name, values in filters.items())


def _type_error(given: Mapping[str, Any]) -> Response | None:
    for name, kind in _TYPES.items():
        if name in given and type(given[name]) is not kind:
            return aws_error("SerializationException", f"{name} is of another type.")
    for values in given.get("Filter", {}).values():
        if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            return aws_error("SerializationException", "A filter's values are not a list of strings.")
    return None


def _value_error(given: Mapping[str, Any]) -> Response | None:
    filters = given.get("Filter", {})
    if not 1 <= len(given.get("ProductCode", "")) <= _MAX_PRODUCT_CODE:
        return _invalid("ProductCode must have 1 to 255 characters.")
    if not 1 <= given.get("MaxResults", 1) <= _MAX_RESULTS:
        return _invalid("MaxResults must be from 1 to 25.")
    if not filters.keys() <= _FILTERS.keys():
        return _invalid(f"Filter must be one of {', '.join(sorted(_FILTERS))}.")
    if not all(filters.values()):
        return _invalid("A filter must have a value.")
    if {"CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID"} <= filters.keys():
        return _invalid("CUSTOMER_IDENTIFIER and CUSTOMER_AWS_ACCOUNT_ID are mutually exclusive.")
    return None


def _invalid(message: str) -> Response:
    return aws_error("InvalidParameterException", message)
