"""The rules: which tokens are redeemed, what is stored in which order, and which claims succeed.

Collaborators are passed in; nothing here knows of HTTP, AWS or the environment.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict
from urllib.parse import urlsplit

from resolver.errors import ClaimRejectedError, ProductRejectedError, TokenMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resolver.log_line import LogLine
    from sdk.registrations import Entitlement

CODE_BYTES = 32
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")


class Customer(TypedDict):
    """A buyer and the purchase, under the member names of ResolveCustomer.

    https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
    """

    CustomerAWSAccountId: str
    ProductCode: str
    LicenseArn: NotRequired[str]
    AgreementId: NotRequired[str]
    CustomerIdentifier: NotRequired[str]
    OfferType: NotRequired[str]


class Registration(Customer):
    """A customer as stored; both times are ISO 8601 in UTC."""

    RegisteredAt: str
    LastRegisteredAt: str


class Claim(Registration):
    """A registration as it is claimed, with what the subscriber recorded, if there is one.

    ``LicenseStatus`` is ``ACTIVE`` or ``DEPROVISIONED``. A registration without a license gets the entitlements of all
    active licenses of its product.
    """

    LicenseStatus: NotRequired[str]
    Entitlements: NotRequired[list[Entitlement]]


class Marketplace(Protocol):
    """Where registration tokens are redeemed."""

    def resolve_customer(self, registration_token: str) -> Customer:
        """Redeem a token, or raise one of the token and Marketplace errors."""


class Store(Protocol):
    """Where claim records and registrations are kept; every method may raise StoreUnavailableError."""

    def write_claim(self, code_hash: str, customer: Customer, *, expires_at: int) -> None:
        """Keep a claim record for the customer's registration until ``expires_at`` (seconds since the epoch)."""

    def write_registration(self, customer: Customer, *, at: str) -> bool:
        """Create or refresh the customer's registration; true if it was created."""

    def read_claim(self, code_hash: str, *, now: int) -> Claim | None:
        """Return the registration that an unexpired claim record refers to, or None."""

    def take_claim(self, code_hash: str, *, claimant: str, now: int) -> bool:
        """Claim the record; false if it is gone, expired or claimed by another. The same claimant may retry."""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _with_code(landing_page: str, code: str) -> str:
    url = urlsplit(landing_page)
    query = f"{url.query}&registration_code={code}" if url.query else f"registration_code={code}"
    return url._replace(query=query).geturl()


class Registrar:
    """Registers buyers and lets the seller's backend claim the registrations.

    Args:
        marketplace: redeems tokens.
        store: keeps claim records and registrations.
        products: product code to landing page URL; any other product is rejected.
        claim_ttl: how long a registration code can be claimed.
        clock: the time now, in UTC.
    """

    def __init__(
        self,
        *,
        marketplace: Marketplace,
        store: Store,
        products: Mapping[str, str],
        claim_ttl: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._marketplace = marketplace
        self._store = store
        self._products = products
        self._claim_ttl = claim_ttl
        self._clock = clock

    def register(self, registration_token: str, *, offer_type: str | None, line: LogLine) -> str:
        """Redeem a token, store the claim record and the registration, and return where the buyer is redirected.

        Args:
            registration_token: as Marketplace sent it.
            offer_type: the form's offer type, an untrusted hint; only ``free-trial`` is kept.
            line: receives the outcome, the buyer and the time of each call.

        Returns:
            The product's landing page with the buyer's ``registration_code`` in its query.

        Raises:
            RegistrationError: nothing that was stored is lost, and the call can be retried.
        """
        if not registration_token.strip():
            raise TokenMissingError
        with line.timed("resolve_customer"):
            customer = self._marketplace.resolve_customer(registration_token)
        line.buyer = customer
        landing_page = self._products.get(customer["ProductCode"])
        if landing_page is None:
            raise ProductRejectedError
        if offer_type == "free-trial":
            line.buyer = customer = {**customer, "OfferType": offer_type}
        code = secrets.token_urlsafe(CODE_BYTES)
        now = self._clock()
        # The claim record goes first: if the second write fails, a record is left whose code was given to no one, not a
        # registration that the buyer never learned of.
        with line.timed("write_claim"):
            self._store.write_claim(_sha256(code), customer, expires_at=math.ceil((now + self._claim_ttl).timestamp()))
        with line.timed("write_registration"):
            created = self._store.write_registration(customer, at=now.isoformat(timespec="microseconds"))
        line.outcome = "registered" if created else "registered_again"
        return _with_code(landing_page, code)

    def claim(self, code: str, *, idempotency_key: str | None, line: LogLine) -> Claim:
        """Claim a registration by a buyer's registration code, once.

        Args:
            code: as the landing page received it.
            idempotency_key: calls with the same key are one claimant, so that a caller can retry after a lost
                response. Without a key every call is a claimant of its own.
            line: receives the outcome, the buyer and the time of each call.

        Raises:
            ClaimRejectedError: the code is unknown, used or expired.
            StoreUnavailableError: the code is still valid.
        """
        if not _CODE.fullmatch(code):
            raise ClaimRejectedError
        code_hash = _sha256(code)
        now = int(self._clock().timestamp())
        # Read first, claim last: a failure before the very last step leaves the code usable.
        with line.timed("read_claim"):
            registration = self._store.read_claim(code_hash, now=now)
        if registration is None:
            raise ClaimRejectedError
        line.buyer = registration
        claimant = _sha256(idempotency_key) if idempotency_key else secrets.token_hex(CODE_BYTES)
        with line.timed("take_claim"):
            taken = self._store.take_claim(code_hash, claimant=claimant, now=now)
        if not taken:
            raise ClaimRejectedError
        line.outcome = "claimed"
        return registration
