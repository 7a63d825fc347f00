"""GetEntitlements of the Marketplace stand-in: its faults, its pages and the calls that it received."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs_lib.testing._aws_service import AwsFaults
from constructs_lib.testing._pages import Pages

_MAX_RESULTS = 25


@dataclass(frozen=True, kw_only=True)
class GetEntitlementsCall:
    """A call that the stand-in received.

    Attributes:
        request: The members of the request; none if the body had none.
        access_key_id: The access key that signed the call, or None if it was not signed.
        region: The region in the signature's credential scope, or None if the call was not signed.
        outcome: ``OK``, ``ConnectionClosed``, or the error code.
    """

    request: Mapping[str, Any]
    access_key_id: str | None
    region: str | None
    outcome: str


class EntitlementService(AwsFaults):
    """GetEntitlements of a Marketplace stand-in, its ``entitlements``.

    Calls must be signed for ``aws-marketplace`` in a region that has the operation: us-east-1, or that of another
    partition. Each injected fault applies to one signed call of GetEntitlements, in order.
    """

    _operation = "GetEntitlements"

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[GetEntitlementsCall] = []
        self._pages = Pages(_MAX_RESULTS)

    @property
    def calls(self) -> Sequence[GetEntitlementsCall]:
        """The GetEntitlements calls received so far, including unsigned ones."""
        with self._lock:
            return tuple(self._calls)

    def paginate(self, at_most: int = 1, *, empty_pages: bool = True) -> None:
        """Respond in small pages from now on.

        Args:
            at_most: How many entitlements a page has, even if ``MaxResults`` is greater.
            empty_pages: Whether an empty page with a ``NextToken`` comes before each, as AWS's reference allows.

        Raises:
            ValueError: ``at_most`` is less than 1.
        """
        self._pages.limit(at_most, empty_pages=empty_pages)

    def reset(self) -> None:
        """Remove the injected faults and the recorded calls; entitlements and the size of pages stay."""
        with self._lock:
            self._faults.clear()
            self._calls.clear()
