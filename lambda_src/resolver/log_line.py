"""The one log line of a request: its fields, which are public, and its writing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, get_args

from sdk.timing import timed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

logger = logging.getLogger("resolver")

Outcome = Literal[
    "registered",
    "registered_again",
    "claimed",
    "bad_request",
    "token_invalid",
    "token_expired",
    "product_refused",
    "marketplace_throttled",
    "marketplace_unavailable",
    "marketplace_refused",
    "store_unavailable",
    "claim_refused",
]
"""The result of a request."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Call = Literal["resolve_customer", "write_claim", "write_registration", "read_claim", "take_claim"]
"""A call to AWS; its time stands in the field of that name with ``_ms`` appended."""

BUYER_FIELDS = (
    "CustomerAWSAccountId",
    "ProductCode",
    "LicenseArn",
    "AgreementId",
    "CustomerIdentifier",
    "OfferType",
    "RegisteredAt",
    "LastRegisteredAt",
)
"""Attributes of the buyer, named as in the registrations table."""

FIELDS = (
    "outcome",
    "reason",
    "status",
    "api_request_id",
    *BUYER_FIELDS,
    *(f"{call}_ms" for call in get_args(Call)),
)
"""All fields of the line; its message is the route."""

_LEVELS = {2: logging.INFO, 3: logging.INFO, 4: logging.WARNING, 5: logging.ERROR}


class LogLine:
    """The log line of one request; the rules fill it in step by step.

    Attributes:
        route: API Gateway's route key.
        api_request_id: API Gateway's ID of the request, which its access log has as ``requestId``.
        outcome: the result.
        reason: AWS's error code, or a name of our own.
        buyer: the buyer's attributes as far as known; only ``BUYER_FIELDS`` are logged.
        milliseconds: the time that each call took.
    """

    # No dataclass: making one takes half a millisecond of every cold start.
    def __init__(self, *, route: str, api_request_id: str, buyer: Mapping[str, object] | None = None) -> None:
        self.route = route
        self.api_request_id = api_request_id
        self.outcome: Outcome | None = None
        self.reason: str | None = None
        self.buyer = buyer or {}
        self.milliseconds: dict[Call, float] = {}

    def timed(self, call: Call) -> AbstractContextManager[None]:
        """Measure the time of a call, whether it succeeds or fails."""
        return timed(self.milliseconds, call)

    def write(self, status: int) -> None:
        """Write the line, as a warning for 4xx and as an error for 5xx.

        Args:
            status: of the HTTP response.
        """
        logger.log(
            _LEVELS[status // 100],
            self.route,
            extra={
                "outcome": self.outcome,
                **({"reason": self.reason} if self.reason else {}),
                "status": int(status),
                "api_request_id": self.api_request_id,
                **{name: self.buyer[name] for name in BUYER_FIELDS if name in self.buyer},
                **{f"{call}_ms": taken for call, taken in self.milliseconds.items()},
            },
        )
