"""How a failed call to AWS is told apart."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from collections.abc import Iterator


class CallFailedError(Exception):
    """A call failed after every retry.

    Attributes:
        reason: AWS's error code, or the kind of network error; never AWS's message, which may quote what was sent.
        status: HTTP status of AWS's response, or None if there was no usable response.
    """

    def __init__(self, reason: str, *, status: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@contextmanager
def one_kind_of_error() -> Iterator[None]:
    """Raise ``CallFailedError`` for every way in which the SDK reports that a call failed."""
    # ``from None``: AWS's message must not travel with a traceback.
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise CallFailedError(error.response["Error"]["Code"], status=status) from None
    except (ConnectionError, HTTPClientError, ResponseParserError) as error:
        raise CallFailedError(type(error).__name__, status=None) from None
