"""The client of the construct's claim URL, for a product's backend.

It needs botocore only, so the function, container or server that claims needs neither the CDK nor Node.
"""

from constructs_lib.claims.claim_client import ClaimClient
from constructs_lib.claims.claim_errors import (
    ClaimConfigurationError,
    ClaimDeniedError,
    ClaimError,
    ClaimRejectedError,
    ClaimRequestError,
    ClaimUnavailableError,
)
from constructs_lib.claims.registration import Entitlement, Registration

__all__ = [
    "ClaimClient",
    "ClaimConfigurationError",
    "ClaimDeniedError",
    "ClaimError",
    "ClaimRejectedError",
    "ClaimRequestError",
    "ClaimUnavailableError",
    "Entitlement",
    "Registration",
]
