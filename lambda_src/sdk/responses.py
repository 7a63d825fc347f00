"""Responses that the SDK could not parse, or would misunderstand, found before it tries.

botocore trusts a service to send what its model says: a list for an object, a number for an error code or odd XML makes
it fail in a different way each, and a truncated response looks like an empty one, so that an existing item seems to be
missing. Here such a response is replaced by an empty one that is marked; the SDK retries it, and then the call fails.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel, Shape

_MARK = "UnusableResponse"
_HTTP_ERROR = 300
_CREDENTIALS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
_NO_RESULT = b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"

_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


class UnusableResponseError(Exception):
    """A service's response was unusable, after every retry."""


def reject_unusable(client: BaseClient) -> None:
    """Let a client retry unusable responses, and then raise ``UnusableResponseError``."""
    events = client.meta.events
    attempts = client.meta.config.retries["total_max_attempts"]  # type: ignore[attr-defined] # set by its Config
    events.register("before-parse", partial(_inspect, forms={}))
    events.register("needs-retry", cast("Callable[..., None]", partial(_retry, most=attempts)))
    events.register("after-call", _raise)


def _inspect(
    operation_model: OperationModel,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    *,
    forms: dict[str, _Form],
    **_: object,
) -> None:
    is_json = operation_model.service_model.resolved_protocol == "json"
    if response_dict["status_code"] >= _HTTP_ERROR:
        # The error code is all that is needed of an error.
        response_dict["body"] = (_json_error if is_json else _xml_error)(response_dict)
        # botocore's parser takes 300 for a success.
        response_dict["status_code"] = max(response_dict["status_code"], _HTTP_ERROR + 1)
        return
    usable = _is_complete(response_dict) and (
        _is_json(response_dict["body"], _form(cast("Shape", operation_model.output_shape), forms))
        if is_json
        else _has_credentials(response_dict["body"])
    )
    if not usable:
        response_dict["body"] = b"{}" if is_json else _NO_RESULT
        customized_response_dict["Error"] = {"Code": _MARK}


def _retry(response: tuple[AWSResponse, dict[str, Any]] | None, attempts: int, *, most: int, **_: object) -> int | None:
    return 0 if response is not None and _is_marked(*response) and attempts < most else None


def _raise(http_response: AWSResponse, parsed: dict[str, Any], **_: object) -> None:
    if _is_marked(http_response, parsed):
        raise UnusableResponseError


def _is_marked(http_response: AWSResponse, parsed: dict[str, Any]) -> bool:
    return http_response.status_code < _HTTP_ERROR and "Error" in parsed


def _is_complete(response: dict[str, Any]) -> bool:
    length = response["headers"].get("Content-Length")
    return length is None or length == str(len(response["body"]))


def _json_error(response: dict[str, Any]) -> bytes:
    try:
        content = json.loads(response["body"])
    except (ValueError, RecursionError):
        content = None
    code = content.get("__type") if isinstance(content, dict) else None
    return json.dumps({"__type": code if isinstance(code, str) else str(response["status_code"])}).encode()


def _xml_error(response: dict[str, Any]) -> bytes:
    root = _xml(response["body"])
    codes = [] if root is None else root.findall(".//{*}Error/{*}Code")
    error = ET.Element("ErrorResponse")
    code = ET.SubElement(ET.SubElement(error, "Error"), "Code")
    code.text = (codes and codes[0].text) or str(response["status_code"])
    return ET.tostring(error)


def _has_credentials(body: bytes) -> bool:
    root = _xml(body)
    if root is None:
        return False
    texts = [[element.text for element in root.findall(f".//{{*}}Credentials/{{*}}{name}")] for name in _CREDENTIALS]
    if not all(len(text) == 1 and text[0] for text in texts):
        return False
    try:
        datetime.fromisoformat(str(texts[-1][0]))
    except ValueError:
        return False
    return True


def _xml(body: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(body)  # noqa: S314 - the SDK parses the same body with the same parser
    except ET.ParseError:
        return None


class _Form:
    """What JSON a shape of the model allows; made once for each shape, as the SDK's own objects are slow to walk."""

    __slots__ = ("element", "kind", "members")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.members: dict[str, _Form] = {}
        self.element: _Form | None = None


def _form(shape: Shape, forms: dict[str, _Form]) -> _Form:
    form = forms.get(shape.name)
    if form is None:
        form = forms[shape.name] = _Form(shape.type_name)
        if shape.type_name == "structure":
            form.members.update((name, _form(member, forms)) for name, member in shape.members.items())  # type: ignore[attr-defined] # a StructureShape
        elif shape.type_name == "map":
            form.element = _form(shape.value, forms)  # type: ignore[attr-defined] # a MapShape
        elif shape.type_name == "list":
            form.element = _form(shape.member, forms)  # type: ignore[attr-defined] # a ListShape
    return form


def _is_json(body: bytes, form: _Form) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return content is not None and _fits(content, form)


def _fits(value: object, form: _Form) -> bool:
    if value is None:
        # A member without a value; an item that is null is no item.
        return form.element is None
    if not isinstance(value, _PYTHON_TYPES[form.kind]):
        return False
    if isinstance(value, dict):
        if form.element is not None:
            return all(_fits(element, form.element) for element in value.values())
        return all(_fits(value[name], member) for name, member in form.members.items() if name in value)
    if isinstance(value, list) and form.element is not None:
        return all(_fits(element, form.element) for element in value)
    return True
