"""The product's backend as a FastAPI app, in a container or on a server.

The landing page is ``GET /signup``. The app finds credentials and region as every AWS SDK does, for example in the role
of its ECS task, or in a profile that assumes the role ``OutsideBackend``.

    CLAIM_URL=… AWS_PROFILE=outside-backend uvicorn examples.claiming_backend.web:app --no-access-log
"""

from __future__ import annotations

import logging
import os
import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import Cookie, FastAPI
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from constructs_lib.claims import ClaimClient, ClaimError, ClaimRejectedError, Registration

app = FastAPI()
claims = ClaimClient(os.environ["CLAIM_URL"])
registrations: dict[str, Registration] = {}
"""Sign-up session to registration; the product would have them in its database."""


# Not async: FastAPI runs the endpoint in a thread, and no other request waits for the claim.
@app.get("/signup", response_model=None)
def sign_up(
    registration_code: str | None = None, session: Annotated[str | None, Cookie(alias="sign-up-session")] = None
) -> Response:
    """Claim a buyer's registration, then show the sign-up form at a URL without the registration code."""
    if registration_code is None:
        registration = registrations.get(session or "")
        if registration is None:
            return PlainTextResponse("Go to AWS Marketplace and press “Set up your account”.")
        return PlainTextResponse(f"Create your account for AWS account {registration['CustomerAWSAccountId']}.")
    try:
        registration = claims.claim(registration_code)
    except ClaimRejectedError:
        return PlainTextResponse(
            "Go back to AWS Marketplace and press “Set up your account” again.", status_code=HTTPStatus.NOT_FOUND
        )
    except ClaimError as error:
        # The text has the status and the reference, and never the registration code.
        logging.getLogger(__name__).error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - see above
        return PlainTextResponse(
            "Please reload this page in a few seconds.", status_code=HTTPStatus.SERVICE_UNAVAILABLE
        )
    session = secrets.token_urlsafe(32)
    registrations[session] = registration
    response = RedirectResponse("/signup", status_code=HTTPStatus.SEE_OTHER)
    response.set_cookie("sign-up-session", session, httponly=True, secure=True, samesite="lax")
    return response
