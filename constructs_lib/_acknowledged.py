"""Rules of cdk-nag and checkov that do not apply to a resource, each with its reason, where the checkers look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct, IConstruct

# A rule of cdk-nag, with the one finding that is meant where there can be others.
_NAG = re.compile(r"((?:AwsSolutions|Serverless)-\w+)(?:\[(.+)\])?")


def wildcard_of(scope: Construct, resource: str) -> str:
    """Return cdk-nag's name for the finding that a policy below ``scope`` has a wildcard in a resource."""
    return f"AwsSolutions-IAM5[Resource::{_flattened(Stack.of(scope).resolve(resource))}]"


def _flattened(resolved: Any) -> str:
    match resolved:
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(_flattened, parts))
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": str(name)}:
            return f"<{name}>"
        case _:
            return str(resolved)


def acknowledge(construct: IConstruct, rules: Mapping[str, str]) -> None:
    """Acknowledge rules of cdk-nag and skip those of checkov at a construct's resource.

    Args:
        construct: its default child is the resource.
        rules: the rule to the reason for which it does not apply.
    """
    suppressed, skipped = [], []
    for rule, reason in rules.items():
        nag = _NAG.fullmatch(rule)
        if nag is None:
            skipped.append({"id": rule, "comment": reason})
            continue
        # cdk-nag 3 reads the CDK's acknowledgments, cdk-nag 2 the resource's metadata.
        Validations.of(construct).acknowledge(Acknowledgment(id=f"{rule.partition('-')[0]}::{rule}", reason=reason))
        only = {"applies_to": [nag[2]]} if nag[2] else {}
        suppressed.append({"id": nag[1], "reason": reason, **only})
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)  # noqa: S101 - a construct of the CDK's that is one resource
    if suppressed:
        resource.add_metadata("cdk_nag", {"rules_to_suppress": suppressed})
    if skipped:
        resource.add_metadata("checkov", {"skip": skipped})
