"""The adapter of AWS Marketplace's Agreement API.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-agreements_SearchAgreements.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from reconciler.comparison import Agreement, License
from reconciler.errors import AgreementMalformedError
from reconciler.times import text
from subscriptions.calls import of_marketplace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.pace import Pace
    from sdk.deadline import Deadline

Found = Agreement | AgreementMalformedError

_OURS = {"PartyType": "Proposer", "AgreementType": "PurchaseAgreement"}
_PAGE = 50


class Client(Protocol):
    """boto3's ``marketplace-agreement``, as far as it is used."""

    def search_agreements(self, **request: Any) -> dict[str, Any]:
        """Return one page."""

    def get_agreement_entitlements(self, **request: Any) -> dict[str, Any]:
        """Return one page."""


class MarketplaceAgreements:
    """Asks for agreements that the seller proposed: those made by a reseller are not found.

    Args:
        client: with the credentials of the account that published the products.
        pace: waited for before each call.
        deadline: bounds each call.
    """

    def __init__(self, client: Client, pace: Pace, deadline: Deadline) -> None:
        self._client = client
        self._pace = pace
        self._deadline = deadline

    def updated(self, after: str) -> Iterator[Found]:
        """Yield the agreements that changed after a time, in the order of their last change.

        One that lacks what it must have is yielded as an error, so that it does not end the search.

        Raises:
            MarketplaceThrottledError, MarketplaceUnavailableError: after every retry; worth retrying later.
            MarketplaceDeniedError: any other error.
        """
        return self._search({"AfterLastUpdateTime": after}, sort_by="LastUpdateTime")

    def started(self, after: str, before: str) -> Iterator[Found]:
        """Yield the agreements that start between two times, in their order; raises as ``updated`` does."""
        return self._search({"AfterStartTime": after, "BeforeStartTime": before}, sort_by="StartTime")

    def chain(self, initial_agreement_id: str) -> list[Agreement]:
        """Return the agreements that continue one another; raises as ``updated`` does."""
        return self._complete({"InitialAgreementId": initial_agreement_id})

    def with_license(self, license_arn: str) -> list[Agreement]:
        """Return the agreements that have or had the license; raises as ``updated`` does."""
        return self._complete({"LicenseArn": license_arn})

    def licenses(self, agreement_id: str) -> list[License]:
        """Return an agreement's licenses with their status; raises as ``updated`` does."""
        request = {"agreementId": agreement_id, "maxResults": _PAGE}
        return [
            License(
                license_arn=given["licenseArn"],
                product_id=given.get("resource", {}).get("id"),
                status=given.get("status", ""),
            )
            for page in self._pages("get_agreement_entitlements", request)
            for given in page.get("agreementEntitlements", ())
            if "licenseArn" in given
        ]

    def _complete(self, filters: Mapping[str, str]) -> list[Agreement]:
        return [each for each in self._search(filters, sort_by="StartTime") if isinstance(each, Agreement)]

    def _search(self, filters: Mapping[str, str], *, sort_by: str) -> Iterator[Found]:
        request = {
            "catalog": "AWSMarketplace",
            "filters": [{"name": name, "values": [value]} for name, value in {**_OURS, **filters}.items()],
            "sort": {"sortBy": sort_by, "sortOrder": "ASCENDING"},
            "maxResults": _PAGE,
        }
        for page in self._pages("search_agreements", request):
            yield from map(_agreement, page.get("agreementViewSummaries", ()))

    def _pages(self, operation: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            with self._pace.call(operation), of_marketplace(self._deadline):
                page: dict[str, Any] = getattr(self._client, operation)(**request)
            yield page
            # A page may be empty and still have a next one.
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]


def _agreement(summary: Mapping[str, Any]) -> Found:
    proposal = summary.get("proposalSummary", {})
    try:
        return Agreement(
            agreement_id=summary["agreementId"],
            account=summary["acceptor"]["accountId"],
            status=summary["status"],
            updated_at=text(summary["lastUpdateTime"]),
            accepted_at=text(summary["acceptanceTime"]),
            starts_at=text(summary["startTime"]),
            ends_at=text(summary["endTime"]) if "endTime" in summary else None,
            offer_id=proposal.get("offerId"),
            proposer=summary.get("proposer", {}).get("accountId"),
            initial_agreement_id=summary.get("initialAgreementId"),
            products={each["id"]: each.get("type", "") for each in proposal.get("resources", ()) if "id" in each},
            license_arns=tuple(each["licenseArn"] for each in summary.get("entitlements", ()) if "licenseArn" in each),
        )
    except KeyError as missing:
        return AgreementMalformedError(f"{missing.args[0]}Missing")
