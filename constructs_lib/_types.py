"""Checks of parameters' types: one line that names the parameter, instead of a trace of the CDK's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, Token
from constructs import IConstruct

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a parameter takes.

    Attributes:
        write: what to write, as it follows "must be".
        fits: tells whether a value is one.
    """

    write: str
    fits: Callable[[Any], bool]

    def or_none(self) -> Kind:
        """Return the kind of a parameter whose default is None."""
        return Kind(write=f"{self.write}, or None", fits=lambda value: value is None or self.fits(value))


def check_types(kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> None:
    """Reject the first value that is not of its parameter's kind.

    Raises:
        ValueError: the message names the parameter and says what to write.
    """
    for name, kind in kinds.items():
        check_type(f"{name}:", values[name], kind)


def check_type(name: str, value: object, kind: Kind) -> None:
    """Reject a value that is not of that kind; the message begins with ``name``."""
    if not kind.fits(value):
        raise ValueError(f"{name} must be {kind.write}, got {shown(value)}")


def shown(value: object) -> str:
    """Return a value as one short line: as it is written, if it is plain, otherwise its type."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    if type(value).__name__ == "InterfaceDynamicProxy":
        return "another object of the CDK"
    return f"a value of type {type(value).__name__}"


def instance(write: str, *types: type) -> Kind:
    """Return the kind of what is an instance of one of the types."""
    return Kind(write=write, fits=lambda value: isinstance(value, types))


def implementation(write: str, method: str, *interfaces: Any) -> Kind:
    """Return the kind of what implements one of the CDK's interfaces.

    Args:
        write: what to write.
        method: one that nothing else has; it is all that can be asked of an object that jsii returns without its
            class, such as an imported role.
        interfaces: the CDK's; they are protocols, which ``isinstance`` does not take.
    """

    def fits(value: object) -> bool:
        implemented = getattr(type(value), "__jsii_ifaces__", None)
        if implemented is None:
            return not isinstance(value, type) and hasattr(value, method)
        return any(interface in kind.__mro__ for kind in implemented for interface in interfaces)

    return Kind(write=write, fits=fits)


def mapping(write: str) -> Kind:
    """Return the kind of a dict, whatever is in it."""
    return instance(write, Mapping)


def sequence(write: str) -> Kind:
    """Return the kind of a list or tuple, whatever is in it; a string is none."""
    return Kind(write=write, fits=lambda value: isinstance(value, Sequence) and not isinstance(value, str | bytes))


def check_fields(name: str, struct: Mapping[str, Any], fields: Mapping[str, Kind]) -> None:
    """Reject a struct that is written as a dict with fields that it does not have, or of another kind."""
    for field in struct:
        if field not in fields:
            raise ValueError(f"{name} a field must be one of {', '.join(fields)}, got {shown(field)}")
    for field, kind in fields.items():
        check_type(f"{name} {field}", struct.get(field), kind)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (Token.is_unresolved(value) or value == int(value))


def text(example: str) -> Kind:
    """Return the kind of a string."""
    return instance(f"a string, such as {example!r}", str)


def duration(example: str) -> Kind:
    """Return the kind of a time span."""
    return instance(f"a Duration, such as {example}", Duration)


BOOLEAN = instance("True or False", bool)
NUMBER = Kind(write="a number", fits=_is_number)
WHOLE = Kind(write="a whole number", fits=_is_whole)
SCOPE = implementation("the stack or a construct in it", "node", IConstruct)
CONSTRUCT_ID = instance("a string that is unique in scope", str)
