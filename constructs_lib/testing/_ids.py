"""Random identifiers that look like AWS's."""

import secrets
import string
import uuid


def random(alphabet: str, length: int) -> str:
    """Return random characters."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def agreement_id() -> str:
    """Return the ID of an agreement."""
    return f"agmt-{random(string.ascii_lowercase + string.digits, 25)}"


def offer_id() -> str:
    """Return the ID of an offer."""
    return f"offer-{random(string.ascii_lowercase + string.digits, 13)}"


def license_arn() -> str:
    """Return the ARN of a license."""
    return f"arn:aws:license-manager::111122223333:license:l-{uuid.uuid4().hex}"
