"""The Agreement API: its filters, its pages, and the requests that it rejects."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.message import Message
from http import HTTPStatus
from typing import Any

from constructs_lib.testing._aws_service import AwsResponse, aws_error, read_request, signature_error
from constructs_lib.testing._marketplace_events import NEVER
from constructs_lib.testing._marketplace_lives import AgreementRecord, is_scheduled
from constructs_lib.testing._pages import Position
from constructs_lib.testing._stand_in import Response, signature
from constructs_lib.testing.agreement_service import AgreementCall, AgreementService

JSON_1_0 = "application/x-amz-json-1.0"
_TARGET_PREFIX = "AWSMPCommerceService_v20200301"

_REGIONS = frozenset({"us-east-1", "eusc-de-east-1"})

_MAX_RESULTS = 50
_MAX_FILTERS = 10
_AGREEMENT_ID = re.compile(r"[A-Za-z0-9_/-]{1,64}", re.ASCII)
_FILTER_VALUE = re.compile(r"[A-Za-z0-9.,+:/_-]{1,256}", re.ASCII)

_TIMES: Mapping[str, Callable[[AgreementRecord], int]] = {
    "EndTime": lambda record: _epoch(record.agreement.ends_at),
    "StartTime": lambda record: _epoch(record.agreement.starts_at),
    "LastUpdateTime": lambda record: _epoch(record.updated_at),
}
_DATES = {f"{when}{time}": (when, time) for when in ("Before", "After") for time in _TIMES}
# The filters that are no dates, with their values where AWS lists them.
_VALUES: Mapping[str, frozenset[str] | None] = {
    "ResourceIdentifier": None,
    "ResourceType": frozenset(
        {"AmiProduct", "ContainerProduct", "SaaSProduct", "ProfessionalServicesProduct", "MachineLearningProduct"}
    ),
    "PartyType": frozenset({"Proposer", "Acceptor"}),
    "AcceptorAccountId": None,
    "OfferId": None,
    "Status": frozenset(
        {
            "ACTIVE",
            "ARCHIVED",
            "CANCELLED",
            "EXPIRED",
            "RENEWED",
            "REPLACED",
            "ROLLED_BACK",
            "SUPERSEDED",
            "TERMINATED",
        }
    ),
    "AgreementType": frozenset({"PurchaseAgreement"}),
    "OfferSetId": None,
    "EndTimeBehaviorType": frozenset({"RENEW", "REPLACE", "EXPIRE"}),
    "EndTimeBehaviorReasonCode": frozenset(
        {"PROPOSER_RENEW_OPTED_OUT", "ACCEPTOR_RENEW_OPTED_OUT", "NO_RENEWAL_TERM", "RENEWAL_LIMIT_EXHAUSTED"}
    ),
    "InitialAgreementId": None,
    "LicenseArn": None,
    "IncludesContactOfType": frozenset({"ACCEPTOR"}),
}
_REQUIRED = ("AgreementType", "PartyType")
# The filters that an acceptor may have, together with these.
_WITH_ACCEPTOR = frozenset({*_REQUIRED, "BeforeEndTime", "AfterEndTime"})
_ACCEPTOR = [
    frozenset(names.split())
    for names in (
        "",
        "Status",
        "ResourceIdentifier",
        "ResourceIdentifier Status",
        "ResourceType",
        "OfferId",
        "OfferId Status",
        "OfferSetId",
        "OfferSetId Status",
    )
]

_TYPES: Mapping[str, type] = {
    "agreementId": str,
    "catalog": str,
    "filters": list,
    "sort": dict,
    "maxResults": int,
    "nextToken": str,
}


_UNKNOWN_OPERATION = aws_error("UnknownOperationException", "The operation is not known.")


class _RejectedError(Exception):
    """A request is answered with an error.

    Args:
        response: The error.
    """

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class AgreementApi(AgreementService):
    """Responds to the operations of the Agreement API.

    Args:
        agreements: Returns all agreements in the order in which they were accepted.
        clock: The clock that the entitlements' statuses follow.
        seller: The account that calls.
    """

    def __init__(
        self, agreements: Callable[[], Mapping[str, AgreementRecord]], clock: Callable[[], datetime], seller: str
    ) -> None:
        super().__init__()
        self._agreements = agreements
        self._clock = clock
        self._seller = seller
        self._responders: Mapping[str, Callable[[dict[str, Any]], Mapping[str, Any]]] = {
            "SearchAgreements": self._search,
            "DescribeAgreement": self._describe,
            "GetAgreementEntitlements": self._get_entitlements,
            "GetAgreementContacts": self._get_contacts,
        }

    def respond(self, headers: Message, body: bytes) -> Response:
        """Respond to a request."""
        prefix, _, operation = headers.get("X-Amz-Target", "").rpartition(".")
        known = prefix == _TARGET_PREFIX and operation in self._responders
        response = self._recorded(operation, headers, body) if known else _UNKNOWN_OPERATION
        return replace(response, content_type=JSON_1_0)

    def _recorded(self, operation: str, headers: Message, body: bytes) -> Response:
        authorization = headers.get("Authorization")
        signed = signature(authorization)
        request = read_request(body)
        response = signature_error(authorization, signed, _REGIONS) or self._signed(operation, request)
        with self._lock:
            self._calls.append(
                AgreementCall(
                    operation=operation,
                    request={} if isinstance(request, Response) else request,
                    access_key_id=signed and signed["access_key_id"],
                    region=signed and signed["region"],
                    outcome="ConnectionClosed" if response.closes_connection else str(response.outcome),
                )
            )
        return response

    def _signed(self, operation: str, request: dict[str, Any] | Response) -> Response:
        quota = self._quotas.get(operation)
        if quota is not None and not quota.allows():
            return aws_error("ThrottlingException", "Rate exceeded", HTTPStatus.TOO_MANY_REQUESTS)
        return self._operations[operation]._with_fault(  # noqa: SLF001 - its own operation
            lambda: request if isinstance(request, Response) else self._answered(operation, request)
        )

    def _answered(self, operation: str, request: Mapping[str, Any]) -> Response:
        given = _without_none(request)
        try:
            for name, kind in _TYPES.items():
                _check_type(name, fits=name not in given or type(given[name]) is kind)
            if not 1 <= given.get("maxResults", 1) <= _MAX_RESULTS:
                raise _invalid("INVALID_MAX_RESULTS", "maxResults", f"must be from 1 to {_MAX_RESULTS}")
            members = self._responders[operation](given)
        except _RejectedError as error:
            return error.response
        return AwsResponse(body=json.dumps(_without_none(members)).encode())

    def _search(self, given: dict[str, Any]) -> Mapping[str, Any]:
        if given.get("catalog") != "AWSMarketplace":
            raise _invalid("INVALID_CATALOG", "catalog", "must be AWSMarketplace")
        filters = _read_filters(given.get("filters", []))
        sort = _read_sort(given.get("sort", {}), filters["PartyType"])
        sign = 1 if sort["sortOrder"] == "ASCENDING" else -1
        found = [
            ((sign * _TIMES[sort["sortBy"]](record), sign * number), self._summary(record))
            for number, record in enumerate(self._agreements().values())
            if self._matches(record, filters)
        ]
        found.sort(key=lambda each: each[0])
        return self._page("agreementViewSummaries", [filters, sort], found, given)

    def _describe(self, given: dict[str, Any]) -> Mapping[str, Any]:
        record = self._named(given)
        renewal = {"type": "RENEW", "renewalSummary": {"offerId": record.agreement.offer_id}}
        return {**_common(record), "endTimeBehavior": renewal if _renews(record) else None}

    def _get_entitlements(self, given: dict[str, Any]) -> Mapping[str, Any]:
        record = self._named(given)
        status, reason = self._entitlement_status(record)
        entitlement = {
            "resource": _resource(record),
            "status": status,
            "statusReasonCode": reason,
            "licenseArn": self._license_arn(record),
        }
        return self._page("agreementEntitlements", given["agreementId"], [((0,), entitlement)], given)

    def _get_contacts(self, given: dict[str, Any]) -> Mapping[str, Any]:
        return {"acceptorContact": _contact(self._named(given))}

    def _named(self, given: Mapping[str, Any]) -> AgreementRecord:
        agreement_id = given.get("agreementId")
        if agreement_id is None:
            raise _invalid("MISSING_AGREEMENT_ID", "agreementId", "is required")
        if not _AGREEMENT_ID.fullmatch(agreement_id):
            raise _invalid("INVALID_AGREEMENT_ID", "agreementId", f"must match {_AGREEMENT_ID.pattern}")
        record = self._agreements().get(agreement_id)
        if record is None:
            raise _RejectedError(
                aws_error(
                    "ResourceNotFoundException",
                    f"The agreement {agreement_id} does not exist.",
                    HTTPStatus.NOT_FOUND,
                    resourceId=agreement_id,
                    resourceType="Agreement",
                )
            )
        return record

    def _page(
        self,
        member: str,
        request: object,
        found: Sequence[tuple[Position, Mapping[str, Any]]],
        given: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        page = self._pages.page([member, request], given.get("nextToken"), found, given.get("maxResults", _MAX_RESULTS))
        if page is None:
            raise _invalid("INVALID_NEXT_TOKEN", "nextToken", "is not valid for this request")
        results, token = page
        return {member: [_without_none(result) for result in results], "nextToken": token}

    def _matches(self, record: AgreementRecord, filters: Mapping[str, str]) -> bool:
        values = self._values(record)
        for name, value in filters.items():
            if name in _DATES:
                when, time = _DATES[name]
                date, at = datetime.fromisoformat(value).timestamp(), _TIMES[time](record)
                if not (at < date if when == "Before" else at > date):
                    return False
            elif value not in values[name]:
                return False
        return True

    def _values(self, record: AgreementRecord) -> Mapping[str, Sequence[str | None]]:
        agreement = record.agreement
        return {
            "ResourceIdentifier": [agreement.product_id],
            "ResourceType": ["SaaSProduct"],
            "PartyType": [
                party
                for party, account in (("Proposer", agreement.proposer), ("Acceptor", agreement.buyer))
                if account == self._seller
            ],
            "AcceptorAccountId": [agreement.buyer],
            "OfferId": [agreement.offer_id],
            "Status": [record.status],
            "AgreementType": ["PurchaseAgreement"],
            "OfferSetId": [],
            "EndTimeBehaviorType": ["RENEW"] if _renews(record) else [],
            "EndTimeBehaviorReasonCode": [],
            "InitialAgreementId": [agreement.initial_agreement_id],
            "LicenseArn": [self._license_arn(record)],
            "IncludesContactOfType": ["ACCEPTOR"] if _contact(record) else [],
        }

    def _license_arn(self, record: AgreementRecord) -> str | None:
        return None if is_scheduled(record.agreement, self._clock()) else record.agreement.license_arn

    def _summary(self, record: AgreementRecord) -> dict[str, Any]:
        license_arn = self._license_arn(record)
        return {
            **_common(record),
            "lastUpdateTime": _epoch(record.updated_at),
            "entitlements": [{"licenseArn": license_arn}] if license_arn else [],
            "endTimeBehaviorType": "RENEW" if _renews(record) else None,
            "includesContactOfType": ["ACCEPTOR"] if _contact(record) else [],
        }

    def _entitlement_status(self, record: AgreementRecord) -> tuple[str, str | None]:
        now = self._clock()
        if record.deprovisioned_at is not None and record.deprovisioned_at <= now:
            return "DEPROVISIONED", "AGREEMENT_INACTIVE"
        if record.status in {"RENEWED", "REPLACED"} and self._continued == "DEPROVISIONED":
            return "DEPROVISIONED", "AGREEMENT_INACTIVE"
        if is_scheduled(record.agreement, now):
            return "SCHEDULED", "FUTURE_START_DATE"
        if now < record.licensed_at:
            return "PENDING", "PROVISIONING_IN_PROGRESS"
        return "PROVISIONED", None


def _common(record: AgreementRecord) -> dict[str, Any]:
    agreement = record.agreement
    return {
        "agreementId": agreement.agreement_id,
        "acceptanceTime": _epoch(agreement.accepted_at),
        "startTime": _epoch(agreement.starts_at),
        "endTime": None if agreement.ends_at == NEVER else _epoch(agreement.ends_at),
        "agreementType": "PurchaseAgreement",
        "acceptor": {"accountId": agreement.buyer},
        "proposer": {"accountId": agreement.proposer},
        "proposalSummary": {"resources": [_resource(record)], "offerId": agreement.offer_id},
        "status": record.status,
        "initialAgreementId": agreement.initial_agreement_id,
    }


def _resource(record: AgreementRecord) -> dict[str, str]:
    return {"id": record.agreement.product_id, "type": "SaaSProduct"}


def _renews(record: AgreementRecord) -> bool:
    # As the events have it: every agreement with an end is renewed at it.
    return record.status == "ACTIVE" and record.agreement.ends_at != NEVER


def _contact(record: AgreementRecord) -> Mapping[str, str] | None:
    contact = record.contact
    if contact is None or record.status != "ACTIVE":
        return None
    return {
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "emailAddress": contact.email_address,
        "companyName": contact.company_name,
        "countryCode": contact.country_code,
    }


def _read_filters(given: Sequence[Any]) -> Mapping[str, str]:
    _check_type("filters", fits=all(map(_is_filter, given)))
    if len(given) > _MAX_FILTERS:
        raise _invalid("INVALID_FILTERS", "filters", f"must be {_MAX_FILTERS} at most")
    filters: dict[str, str] = {}
    for each in given:
        name, value = _read_filter(each)
        if name in filters:
            raise _invalid("INVALID_FILTERS", "filters", f"has {name} more than once")
        filters[name] = value
    for name in _REQUIRED:
        if name not in filters:
            raise _invalid("INVALID_FILTERS", "filters", f"must have {name}")
    if filters["PartyType"] == "Acceptor" and filters.keys() - _WITH_ACCEPTOR not in _ACCEPTOR:
        raise _invalid("UNSUPPORTED_FILTERS", "filters", "are not supported together for an acceptor")
    return filters


def _is_filter(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    name, values = given.get("name", ""), given.get("values", [])
    return isinstance(name, str) and isinstance(values, list) and all(isinstance(value, str) for value in values)


def _read_filter(given: Mapping[str, Any]) -> tuple[str, str]:
    name, values = given.get("name"), given.get("values")
    if not name:
        raise _invalid("MISSING_FILTER_NAME", "filters.name", "is required")
    if name not in _VALUES and name not in _DATES:
        raise _invalid("INVALID_FILTER_NAME", "filters.name", f"must be one of {', '.join([*_VALUES, *_DATES])}")
    if not values:
        raise _invalid("MISSING_FILTER_VALUES", "filters.values", f"of {name} are required")
    if len(values) > 1 or not _FILTER_VALUE.fullmatch(values[0]) or not _is_value(name, values[0]):
        raise _invalid("INVALID_FILTER_VALUES", "filters.values", f"must be one value that {name} can have")
    return name, values[0]


def _is_value(name: str, value: str) -> bool:
    if name not in _DATES:
        allowed = _VALUES[name]
        return allowed is None or value in allowed
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _read_sort(given: Mapping[str, Any], party: str) -> Mapping[str, str]:
    sort = {"sortBy": "EndTime", "sortOrder": "ASCENDING", **_without_none(given)}
    _check_type("sort", fits=all(isinstance(value, str) for value in sort.values()))
    allowed = _TIMES if party == "Proposer" else {"EndTime"}
    if sort["sortBy"] not in allowed:
        raise _invalid("INVALID_SORT_BY", "sort.sortBy", f"must be one of {', '.join(allowed)}")
    if sort["sortOrder"] not in {"ASCENDING", "DESCENDING"}:
        raise _invalid("INVALID_SORT_ORDER", "sort.sortOrder", "must be ASCENDING or DESCENDING")
    return sort


def _epoch(at: datetime) -> int:
    # Whole seconds, as in the events.
    return int(at.timestamp())


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _check_type(name: str, *, fits: bool) -> None:
    if not fits:
        raise _RejectedError(aws_error("SerializationException", f"{name} is of another type."))


def _invalid(reason: str, field: str, message: str) -> _RejectedError:
    fields = [{"name": field, "message": f"{message}."}]
    return _RejectedError(aws_error("ValidationException", f"{field} {message}.", reason=reason, fields=fields))
