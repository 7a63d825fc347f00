"""The expected failures of a request; each knows its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from resolver.log_line import Outcome


class RegistrationError(Exception):
    """Base class of every expected failure of a request.

    Args:
        reason: for the log only: AWS's error code or a name of our own, never AWS's message, which may quote what
            was sent.
    """

    outcome: ClassVar[Outcome]

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenMissingError(RegistrationError):
    """The request carries no registration token."""

    outcome = "bad_request"


class BodyUnreadableError(RegistrationError):
    """The body is not what its content type says, or one of our fields is repeated or is not a string."""

    outcome = "bad_request"


class BodyTooLargeError(RegistrationError):
    """The body is larger than the resolver reads."""

    outcome = "bad_request"


class ContentTypeRejectedError(RegistrationError):
    """The content type is neither a form nor JSON."""

    outcome = "bad_request"


class TokenInvalidError(RegistrationError):
    """Marketplace does not know the token: final for this token."""

    outcome = "token_invalid"


class TokenExpiredError(RegistrationError):
    """The token has expired; the buyer must start again from AWS Marketplace."""

    outcome = "token_expired"


class ProductRejectedError(RegistrationError):
    """The token is for a product that is not in ``products``."""

    outcome = "product_refused"


class MarketplaceThrottledError(RegistrationError):
    """Marketplace still throttled after every retry."""

    outcome = "marketplace_throttled"


class MarketplaceUnavailableError(RegistrationError):
    """Marketplace failed, was too slow or could not be reached, after every retry."""

    outcome = "marketplace_unavailable"


class MarketplaceDeniedError(RegistrationError):
    """Marketplace denies the seller: wrong account, role or region. Only the operator can fix it."""

    outcome = "marketplace_refused"


class StoreUnavailableError(RegistrationError):
    """DynamoDB failed after every retry."""

    outcome = "store_unavailable"


class ClaimRejectedError(RegistrationError):
    """The code is unknown, used or expired; callers are deliberately not told which."""

    outcome = "claim_refused"
