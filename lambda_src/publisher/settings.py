"""The settings that the construct writes into the environment, and their only reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """The configuration of one deployed publisher.

    Attributes:
        registrations_table: name or ARN (``REGISTRATIONS_TABLE``).
        event_bus: name or ARN of the seller's event bus (``EVENT_BUS``, by default the account's default one).
    """

    registrations_table: str
    event_bus: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that the construct sets.

        Raises:
            KeyError: a required variable is missing.
        """
        return cls(
            registrations_table=environment["REGISTRATIONS_TABLE"],
            event_bus=environment.get("EVENT_BUS", "default"),
        )
