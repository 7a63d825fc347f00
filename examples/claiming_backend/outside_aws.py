"""A backend outside AWS that claims: another server, a container elsewhere, or your own machine.

boto3 finds credentials and region as usual, for example in a profile that assumes the role ``OutsideBackend``. The
registration code is read from standard input, because every process sees a command line and the shell's history keeps
it:

    AWS_PROFILE=outside-backend python -m examples.claiming_backend.outside_aws CLAIM_URL
"""

from __future__ import annotations

import json
import sys

import boto3

from examples.claiming_backend.backend.handler import ClaimRejectedError, ClaimUnavailableError, claim


def main(claim_url: str, registration_code: str) -> None:
    """Print the registration.

    Raises:
        SystemExit: the claim failed; the message says why.
    """
    session = boto3.Session()
    credentials = session.get_credentials()
    if credentials is None or session.region_name is None:
        raise SystemExit("boto3 found no credentials or no region: set AWS_PROFILE or AWS_DEFAULT_REGION")
    try:
        registration = claim(claim_url, registration_code, credentials=credentials, region=session.region_name)
    except ClaimRejectedError:
        raise SystemExit("the registration code is unknown, used or expired") from None
    except ClaimUnavailableError:
        raise SystemExit("the claim URL does not respond; retry later") from None
    print(json.dumps(registration, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.readline().strip())
