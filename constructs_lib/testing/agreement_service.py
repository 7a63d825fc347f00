"""The Agreement API of the Marketplace stand-in: its faults, its pages, its quotas and the calls that it received."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from constructs_lib.testing._aws_service import AwsFaults
from constructs_lib.testing._pages import Pages
from constructs_lib.testing._quota import Quota

_MAX_RESULTS = 50
# Calls per second: https://docs.aws.amazon.com/marketplace/latest/developerguide/agreement-service-quotas.html
_QUOTAS = {"SearchAgreements": 5, "DescribeAgreement": 5, "GetAgreementEntitlements": 10}


@dataclass(frozen=True, kw_only=True)
class AgreementCall:
    """A call that the stand-in received.

    Attributes:
        operation: The operation, such as ``SearchAgreements``.
        request: The members of the request; none if the body had none.
        access_key_id: The access key that signed the call, or None if it was not signed.
        region: The region in the signature's credential scope, or None if the call was not signed.
        outcome: ``OK``, ``ConnectionClosed``, or the error code.
    """

    operation: str
    request: Mapping[str, Any]
    access_key_id: str | None
    region: str | None
    outcome: str


class AgreementOperation(AwsFaults):
    """An operation of the Agreement API, whose next calls may be faulty.

    Each injected fault applies to one signed call of the operation, in order. Errors have the statuses of the Agreement
    API: ThrottlingException 429, InternalServerException 500, AccessDeniedException 403.
    """

    _internal_error = "InternalServerException"
    _statuses: Mapping[str, HTTPStatus] = {
        "AccessDeniedException": HTTPStatus.FORBIDDEN,
        "InternalServerException": HTTPStatus.INTERNAL_SERVER_ERROR,
        "ResourceNotFoundException": HTTPStatus.NOT_FOUND,
        "ThrottlingException": HTTPStatus.TOO_MANY_REQUESTS,
    }

    def __init__(self, operation: str) -> None:
        """Begin without faults.

        Args:
            operation: The operation's name, such as ``SearchAgreements``.
        """
        super().__init__()
        self._operation = operation


class AgreementService:
    """The Agreement API of a Marketplace stand-in, its ``agreements``, as the seller's account is answered.

    Calls must be signed for ``aws-marketplace`` in a region that has it: us-east-1 or eusc-de-east-1. An agreement's
    status and ``lastUpdateTime`` change with the step, whether or not its events have been delivered. The status of its
    entitlement follows the clock: ``PROVISIONED`` from the time of License Updated, ``DEPROVISIONED`` from that of
    License Deprovisioned. A license's ARN is told from the start of its agreement.

    Where AWS's reference says nothing, the stand-in does this, which is not confirmed: ``PartyType`` is required; dates
    must have a time zone, and “before” and “after” exclude the date itself; an agreement without an end is after every
    date; the manufacturer of a resold product may call every operation but find nothing with SearchAgreements.

    Attributes:
        search_agreements: The faults of SearchAgreements.
        describe_agreement: The faults of DescribeAgreement.
        get_agreement_entitlements: The faults of GetAgreementEntitlements.
        get_agreement_contacts: The faults of GetAgreementContacts.
    """

    search_agreements: AgreementOperation
    describe_agreement: AgreementOperation
    get_agreement_entitlements: AgreementOperation
    get_agreement_contacts: AgreementOperation

    def __init__(self) -> None:
        self.search_agreements = AgreementOperation("SearchAgreements")
        self.describe_agreement = AgreementOperation("DescribeAgreement")
        self.get_agreement_entitlements = AgreementOperation("GetAgreementEntitlements")
        self.get_agreement_contacts = AgreementOperation("GetAgreementContacts")
        self._lock = threading.Lock()
        self._calls: list[AgreementCall] = []
        self._pages = Pages(_MAX_RESULTS)
        self._continued: Literal["PROVISIONED", "DEPROVISIONED"] = "PROVISIONED"
        self._quotas: Mapping[str, Quota] = {}

    @property
    def calls(self) -> Sequence[AgreementCall]:
        """The calls received so far, including unsigned ones."""
        with self._lock:
            return tuple(self._calls)

    def paginate(self, at_most: int = 1, *, empty_pages: bool = True) -> None:
        """Respond in small pages from now on.

        Args:
            at_most: How many results a page has, even if ``maxResults`` is greater.
            empty_pages: Whether an empty page with a ``nextToken`` comes before each, which AWS's reference does not
                rule out.

        Raises:
            ValueError: ``at_most`` is less than 1.
        """
        self._pages.limit(at_most, empty_pages=empty_pages)

    def show_continued(self, status: Literal["PROVISIONED", "DEPROVISIONED"]) -> None:
        """Choose the entitlement status of agreements that were renewed or replaced, and whose license goes on.

        No source says which it is, so test both.

        Args:
            status: Their status from now on; ``PROVISIONED`` until this is called.
        """
        self._continued = status

    def enforce_quotas(self) -> None:
        """Throttle calls above AWS's quotas from now on, by the computer's time.

        SearchAgreements and DescribeAgreement may be called 5 times a second, GetAgreementEntitlements 10 times; a
        second's calls may come at once.
        """
        self._quotas = {operation: Quota(rate) for operation, rate in _QUOTAS.items()}

    def reset(self) -> None:
        """Remove the injected faults and the recorded calls; agreements, the size of pages and quotas stay."""
        for operation in self._operations.values():
            operation.clear_faults()
        with self._lock:
            self._calls.clear()

    @property
    def _operations(self) -> Mapping[str, AgreementOperation]:
        return {
            "SearchAgreements": self.search_agreements,
            "DescribeAgreement": self.describe_agreement,
            "GetAgreementEntitlements": self.get_agreement_entitlements,
            "GetAgreementContacts": self.get_agreement_contacts,
        }
