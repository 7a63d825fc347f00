"""The check of permissions: what each function's role may do, and what it may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from constructs_lib.verify._check import Check, Result, compared

if TYPE_CHECKING:
    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

# A key of a condition to its value, or to its values if it has several.
_Context = Mapping[str, "str | list[str]"]

_ANY = "*"
_PUBLICATION: _Context = {"events:source": ["marketplace-registration"]}
_FOREIGN: _Context = {"events:source": ["someone-else"]}
_AGREEMENT_TYPE: _Context = {"aws-marketplace:AgreementType": ["PurchaseAgreement"]}
_SELLER: _Context = {"aws-marketplace:PartyType": "Proposer", **_AGREEMENT_TYPE}
_BUYER: _Context = {"aws-marketplace:PartyType": "Acceptor", **_AGREEMENT_TYPE}


class _Case(NamedTuple):
    """Whether a role may call an action on the resource that an output names; the context is that of the call."""

    role: str
    action: str
    resource: str
    allowed: bool
    context: _Context = {}  # noqa: RUF012 - never changed


_CASES = (
    *(
        _Case("Resolver", f"dynamodb:{operation}", table, operation in allowed)
        for table, allowed in (
            ("TableArn", {"GetItem", "UpdateItem", "Query"}),
            ("ClaimsTableArn", {"GetItem", "PutItem", "UpdateItem"}),
        )
        for operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DeleteTable")
    ),
    _Case("Resolver", "aws-marketplace:ResolveCustomer", _ANY, allowed=True),
    _Case("Resolver", "aws-marketplace:GetEntitlements", _ANY, allowed=False),
    _Case("Resolver", "aws-marketplace:BatchMeterUsage", _ANY, allowed=False),
    _Case("Resolver", "sts:AssumeRole", "BackendRoleArn", allowed=False),
    *(
        _Case("Subscriber", f"dynamodb:{operation}", "TableArn", operation == "UpdateItem")
        for operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
    ),
    _Case("Subscriber", "aws-marketplace:GetEntitlements", _ANY, allowed=True),
    _Case("Subscriber", "aws-marketplace:ResolveCustomer", _ANY, allowed=False),
    _Case("Subscriber", "sqs:ReceiveMessage", "QueueArn", allowed=True),
    _Case("Subscriber", "sqs:SendMessage", "QueueArn", allowed=False),
    _Case("Subscriber", "sqs:ReceiveMessage", "DeadLettersArn", allowed=False),
    _Case("Subscriber", "events:PutEvents", "BusArn", allowed=False, context=_PUBLICATION),
    *(
        _Case("Publisher", f"dynamodb:{operation}", "TableArn", operation == "Query")
        for operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
    ),
    _Case("Publisher", "events:PutEvents", "BusArn", allowed=True, context=_PUBLICATION),
    _Case("Publisher", "events:PutEvents", "BusArn", allowed=False, context=_FOREIGN),
    _Case("Publisher", "sqs:ReceiveMessage", "QueueArn", allowed=False),
    *(
        _Case("Reconciler", f"dynamodb:{operation}", table, operation in allowed)
        for table, allowed in (
            ("TableArn", {"Query", "Scan", "UpdateItem"}),
            ("ReconciliationTableArn", {"Scan", "UpdateItem"}),
        )
        for operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
    ),
    _Case("Reconciler", "aws-marketplace:SearchAgreements", _ANY, allowed=True, context=_SELLER),
    _Case("Reconciler", "aws-marketplace:SearchAgreements", _ANY, allowed=False, context=_BUYER),
    _Case("Reconciler", "aws-marketplace:GetAgreementEntitlements", _ANY, allowed=True),
    _Case("Reconciler", "aws-marketplace:GetEntitlements", _ANY, allowed=True),
    _Case("Reconciler", "aws-marketplace:GetAgreementContacts", _ANY, allowed=False),
    _Case("Reconciler", "events:PutEvents", "BusArn", allowed=False, context=_PUBLICATION),
    *(
        _Case(role, action, _ANY, allowed=False)
        for role in ("Resolver", "Subscriber", "Publisher", "Reconciler")
        for action in ("iam:CreateUser", "lambda:ListFunctions", "logs:CreateLogGroup", "s3:ListAllMyBuckets")
    ),
)


def _simulated(subject: Subject, case: _Case) -> str:
    simulated = subject.client("iam").simulate_principal_policy(
        PolicySourceArn=subject.main[f"{case.role}RoleArn"],
        ActionNames=[case.action],
        ResourceArns=[subject.main.get(case.resource, _ANY)],
        ContextEntries=[
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            if isinstance(value, str)
            else {"ContextKeyName": name, "ContextKeyValues": value, "ContextKeyType": "stringList"}
            for name, value in case.context.items()
        ],
    )
    decision: str = simulated["EvaluationResults"][0]["EvalDecision"]
    return decision


def _role_policies(subject: Subject, _deadline: Deadline) -> Result:
    # The local AWS simulates without the context.
    cases = [case for case in _CASES if not (subject.local and case.context in (_FOREIGN, _SELLER, _BUYER))]
    wrong = [
        f"{case.role}: {case.action} on {case.resource} is {decision}"
        for case in cases
        for decision in (_simulated(subject, case),)
        if (decision == "allowed") != case.allowed
    ]
    return compared(wrong, f"{len(cases)} simulated decisions")


CHECKS = (
    Check(
        name="role-policies",
        expected="IAM's policy simulator allows each function's role what it needs, and denies the rest",
        seconds=120,
        run=_role_policies,
    ),
)
