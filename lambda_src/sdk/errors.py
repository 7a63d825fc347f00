"""One kind of error for every failed call to AWS."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sdk.deadline import DeadlineExceededError
from sdk.responses import UnusableResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdk.deadline import Deadline

_Error = TypeVar("_Error", bound=Exception)

_HTTP_TOO_MANY_REQUESTS = 429
_HTTP_SERVER_ERROR = 500

# Every error code that botocore itself counts as throttling, or as transient; a test compares them.
THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException"})


class CallFailedError(Exception):
    """A call failed after every retry.

    Attributes:
        reason: AWS's error code, or the kind of failure on the way; never AWS's message, which may quote what was sent.
        operation: the operation that failed, which may be the one that fetches credentials; None if AWS did not say.
        status: HTTP status of AWS's response, or None if there was no usable response.
    """

    def __init__(self, reason: str, *, operation: str | None = None, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        self.status = status

    @property
    def throttled(self) -> bool:
        """Whether AWS asked for fewer calls, by any name."""
        return self.status == _HTTP_TOO_MANY_REQUESTS or self.reason in THROTTLING

    @property
    def unavailable(self) -> bool:
        """Whether the same call may succeed later without anyone acting."""
        return self.status is None or self.status >= _HTTP_SERVER_ERROR or self.reason in TRANSIENT

    def choose(self, *, throttled: type[_Error], unavailable: type[_Error], otherwise: type[_Error]) -> type[_Error]:
        """Return what fits this failure: the same call may succeed after a pause, later, or not before someone acts."""
        if self.throttled:
            return throttled
        return unavailable if self.unavailable else otherwise


@contextmanager
def one_kind_of_error(deadline: Deadline) -> Iterator[None]:
    """Bound a call by the deadline, and raise ``CallFailedError`` for every way in which it can fail."""
    # ``from None``: AWS's message must not travel with a traceback.
    try:
        with deadline.bound():
            yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response.get("Error", {}).get("Code") or str(status)
        raise CallFailedError(code, operation=error.operation_name, status=status) from None
    except (BotoCoreError, ResponseParserError, UnusableResponseError, DeadlineExceededError) as error:
        raise CallFailedError(type(error).__name__) from None
