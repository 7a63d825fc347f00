"""What must hold before anything is made: the account that was named, a person who agrees, and no CI."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class RefusedError(Exception):
    """Nothing was made; the message says why."""


def local_url(environment: Mapping[str, str]) -> str:
    """Return the endpoint of the local AWS, or nothing in a real account."""
    url = environment.get("AWS_ENDPOINT_URL", "")
    return url if urlsplit(url).hostname in _LOOPBACK else ""


def refuse(
    *, account: str | None, caller: Callable[[], str], yes: bool, environment: Mapping[str, str], local: bool
) -> None:
    """Refuse to go on in CI, without an account, or in another one; not on the local AWS, where nothing is at stake.

    Args:
        account: that was named.
        caller: returns the account of the credentials.
        yes: whether the question is not to be asked.
        environment: the environment variables.
        local: whether it is the local AWS.

    Raises:
        RefusedError: it must not go on.
    """
    if environment.get("CI") and not local:
        raise RefusedError("CI is set: this is for a person at a terminal, as it makes resources that cost money")
    if yes and not local:
        raise RefusedError("--yes: for the local AWS only; in a real account the question is asked")
    if not account:
        raise RefusedError("--account: required, the 12 digits of the account in which stacks may be made")
    if (called := caller()) != account:
        raise RefusedError(f"--account: {account} was named, but the credentials belong to {called}")


def agreed(question: str, ask: Callable[[str], str]) -> bool:
    """Ask, and return whether the answer is a clear yes."""
    try:
        return ask(f"{question} Type yes to go on: ").strip() == "yes"
    except EOFError:
        return False
