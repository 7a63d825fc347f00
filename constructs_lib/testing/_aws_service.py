"""The protocol of AWS Marketplace's services: JSON, signatures, and errors that a test injects."""

import json
import re
from collections.abc import Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from constructs_lib.testing._stand_in import Faults, Response

JSON = "application/x-amz-json-1.1"
AwsResponse = partial(Response, content_type=JSON, outcome="OK")

_MESSAGES = {
    "InvalidTokenException": "Registration token is invalid.",
    "ExpiredTokenException": "The submitted registration token has expired.",
    "ThrottlingException": "Rate exceeded",
    "InternalServiceErrorException": "An internal error has occurred.",
    "InternalServerException": "An internal error has occurred.",
    "AccessDeniedException": (
        "User: arn:aws:sts::111122223333:assumed-role/resolver/session is not authorized to perform: "
        "aws-marketplace:{operation} because no identity-based policy allows the aws-marketplace:{operation} action"
    ),
    "DisabledApiException": "The API is disabled in this Region.",
}


class AwsFaults(Faults):
    """Errors of AWS for the next calls of an operation."""

    _operation: str
    _internal_error = "InternalServiceErrorException"
    # Of the errors whose status is not 400.
    _statuses: Mapping[str, HTTPStatus] = {"InternalServiceErrorException": HTTPStatus.INTERNAL_SERVER_ERROR}

    def throttle(self, times: int = 1) -> None:
        """Respond with ThrottlingException.

        Args:
            times: To how many calls.
        """
        self._inject_response(self._service_error("ThrottlingException"), times)

    def fail(self, times: int = 1) -> None:
        """Respond with InternalServiceErrorException, in the Agreement API InternalServerException, and status 500.

        Args:
            times: To how many calls.
        """
        self._inject_response(self._service_error(self._internal_error), times)

    def refuse(self, times: int = 1, code: str = "AccessDeniedException") -> None:
        """Respond with an error that no retry fixes, and status 400; the Agreement API denies access with 403.

        Args:
            times: To how many calls.
            code: The error code, such as ``DisabledApiException``.
        """
        self._inject_response(self._service_error(code), times)

    def answer(self, body: Mapping[str, object], times: int = 1) -> None:
        """Respond with success and the given body, for example one without an account.

        Args:
            body: The members of the response.
            times: To how many calls.
        """
        self._inject_response(AwsResponse(body=json.dumps(body).encode()), times)

    def _inject_response(self, response: Response, times: int) -> None:
        self._inject(lambda _: response, times)

    def _service_error(self, code: str) -> Response:
        message = _MESSAGES.get(code, "The request was denied.").format(operation=self._operation)
        return aws_error(code, message, self._statuses.get(code, HTTPStatus.BAD_REQUEST))


def aws_error(code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **members: object) -> Response:
    """Return an error as AWS sends it."""
    return AwsResponse(
        body=json.dumps({"__type": code, "message": message, **members}).encode(),
        status=status,
        headers={"x-amzn-ErrorType": code},
        outcome=code,
    )


def signature_error(
    authorization: str | None, signed: re.Match[str] | None, regions: Collection[str]
) -> Response | None:
    """Return the error of a call that is not signed as AWS Marketplace wants it, or None."""
    if authorization is None:
        return aws_error("MissingAuthenticationTokenException", "Missing Authentication Token", HTTPStatus.FORBIDDEN)
    if signed is None:
        return aws_error("IncompleteSignatureException", "The request signature does not conform to AWS standards.")
    if signed["service"] != "aws-marketplace":
        return aws_error(
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'aws-marketplace'.",
            HTTPStatus.FORBIDDEN,
        )
    # A newer region is rejected too: this release does not know it.
    if signed["region"] not in regions:
        return aws_error(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not {signed['region']!r}.",
            HTTPStatus.FORBIDDEN,
        )
    return None


def read_request(body: bytes) -> dict[str, Any] | Response:
    """Return the members of a request, or the error if it has none."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        return aws_error("SerializationException", "The request is not a JSON object.")
    return request
