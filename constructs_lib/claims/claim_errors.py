"""The errors of a claim: none contains the registration code or the idempotency key."""


class ClaimError(Exception):
    """Base class of the errors of a claim.

    Attributes:
        status: HTTP status of the last response; None if there was none.
        reference: Identifies the last request in the resolver's log (``api_request_id``) and in the API's access log
            (``requestId``); None if there was no response.
    """

    status: int | None
    reference: str | None

    def __init__(self, message: str, *, status: int | None = None, reference: str | None = None) -> None:
        """Keep what identifies the request.

        Args:
            message: What happened and what to do.
            status: HTTP status of the last response.
            reference: Identifies the last request.
        """
        super().__init__(message)
        self.status = status
        self.reference = reference


class ClaimRejectedError(ClaimError):
    """The registration code is unknown, used or expired: send the buyer back to AWS Marketplace to start again."""


class ClaimDeniedError(ClaimError):
    """The caller may not claim: its signature, its region or its permission is wrong.

    The registration code is still valid.
    """


class ClaimUnavailableError(ClaimError):
    """No attempt got a final response in time; the registration code is valid until it expires.

    A response may have been lost, so retry with the same ``idempotency_key``: any other claimant may be rejected.
    """


class ClaimRequestError(ClaimError):
    """The request itself is wrong, or the URL is not that of the construct; no retry fixes it."""


class ClaimConfigurationError(ClaimError):
    """The client cannot send a request: the URL, the region or the credentials are missing or wrong."""
