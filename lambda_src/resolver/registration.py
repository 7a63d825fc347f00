"""The rules: what is redeemed, what is stored in which order, and who gets to know it.

Collaborators are passed in; nothing here knows of HTTP, AWS or the environment.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CODE_BYTES = 32
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")

LogLine = dict[str, object]
"""What the one log line of a request says; the rules fill it as they learn."""


class Customer(TypedDict):
    """A buyer and what was bought, under the member names of ResolveCustomer.

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


class RegistrationError(Exception):
    """A request that ends without its purpose.

    Args:
        reason: for the log only: AWS's error code or a name of our own, never AWS's message, which may quote what
            was sent.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenMissingError(RegistrationError):
    """The request carries no registration token."""


class TokenInvalidError(RegistrationError):
    """Marketplace does not know the token: final for this token."""


class TokenExpiredError(RegistrationError):
    """The token came too late: the buyer starts again from Marketplace."""


class ProductRefusedError(RegistrationError):
    """The token is for a product that is not the seller's here."""


class MarketplaceThrottledError(RegistrationError):
    """Marketplace still throttled after every retry."""


class MarketplaceUnavailableError(RegistrationError):
    """Marketplace failed, was too slow or could not be reached, after every retry."""


class MarketplaceRefusedError(RegistrationError):
    """Marketplace refuses the seller: wrong account, role or region. Only the operator can mend it."""


class StoreUnavailableError(RegistrationError):
    """DynamoDB failed after every retry."""


class ClaimRefusedError(RegistrationError):
    """The code is unknown, used or expired; which one is nobody's business."""


class Marketplace(Protocol):
    """Where tokens are redeemed."""

    def resolve_customer(self, registration_token: str) -> Customer:
        """Redeem a token, or raise one of the token and Marketplace errors."""


class Store(Protocol):
    """Where claims and registrations are kept; every method may raise StoreUnavailableError."""

    def write_claim(self, code_hash: str, customer: Customer, *, expires_at: int) -> None:
        """Keep a claim on the customer's registration until ``expires_at`` (seconds since the epoch)."""

    def write_registration(self, customer: Customer, *, at: str) -> bool:
        """Create or refresh the customer's registration; true if it was created."""

    def read_claim(self, code_hash: str, *, now: int) -> Registration | None:
        """Return the registration that an unexpired claim stands for, or None."""

    def take_claim(self, code_hash: str, *, taker: str, now: int) -> bool:
        """Take the claim; false if it is gone, expired or another's. Repeatable by the same taker."""


@contextmanager
def _timed(line: LogLine, call: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        line[f"{call}_ms"] = round((time.perf_counter() - start) * 1000, 1)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _with_code(landing_page: str, code: str) -> str:
    url = urlsplit(landing_page)
    query = f"{url.query}&registration_code={code}" if url.query else f"registration_code={code}"
    return url._replace(query=query).geturl()


class Registrar:
    """Registers buyers and lets the seller's backend claim them.

    Args:
        marketplace: redeems tokens.
        store: keeps claims and registrations.
        products: product code to landing page URL; a product that is not in it is refused.
        claim_ttl: how long a buyer's code can be exchanged.
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
        """Redeem a token, store the claim and the registration, and say where the buyer goes on.

        Args:
            registration_token: as Marketplace sent it.
            offer_type: the form's offer type, an untrusted hint; only ``free-trial`` is kept.
            line: gets ``outcome``, the ids and the time of each call.

        Returns:
            The product's landing page with the buyer's ``registration_code`` in its query.

        Raises:
            RegistrationError: one of this module's; nothing that was stored is lost, and the call can be repeated.
        """
        if not registration_token.strip():
            raise TokenMissingError
        with _timed(line, "resolve_customer"):
            customer = self._marketplace.resolve_customer(registration_token)
        line.update(customer)
        landing_page = self._products.get(customer["ProductCode"])
        if landing_page is None:
            raise ProductRefusedError
        if offer_type == "free-trial":
            customer = {**customer, "OfferType": offer_type}
        code = secrets.token_urlsafe(CODE_BYTES)
        now = self._clock()
        # The claim goes first: if the second write fails, what is left over is a claim whose code nobody was given,
        # not a registration that the buyer was told nothing of.
        with _timed(line, "write_claim"):
            self._store.write_claim(_sha256(code), customer, expires_at=int((now + self._claim_ttl).timestamp()))
        with _timed(line, "write_registration"):
            created = self._store.write_registration(customer, at=now.isoformat(timespec="microseconds"))
        line["outcome"] = "registered" if created else "registered_again"
        return _with_code(landing_page, code)

    def claim(self, code: str, *, idempotency_key: str | None, line: LogLine) -> Registration:
        """Exchange a buyer's code for the registration, once.

        Args:
            code: as the landing page received it.
            idempotency_key: a caller that repeats a call with the same key is one taker, so that an answer that was
                lost on the way can be asked for again. Without a key every call is a taker of its own.
            line: gets ``outcome``, the ids and the time of each call.

        Raises:
            ClaimRefusedError: the code is unknown, used or expired.
            StoreUnavailableError: the code is still good.
        """
        if not _CODE.fullmatch(code):
            raise ClaimRefusedError
        code_hash = _sha256(code)
        now = int(self._clock().timestamp())
        # Read first, take last: a failure before the very last step leaves the code usable.
        with _timed(line, "read_claim"):
            registration = self._store.read_claim(code_hash, now=now)
        if registration is None:
            raise ClaimRefusedError
        line.update(registration)
        taker = _sha256(idempotency_key) if idempotency_key else secrets.token_hex(CODE_BYTES)
        with _timed(line, "take_claim"):
            taken = self._store.take_claim(code_hash, taker=taker, now=now)
        if not taken:
            raise ClaimRefusedError
        line["outcome"] = "claimed"
        return registration
