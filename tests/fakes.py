"""In-memory collaborators of the rules; tests/store_cases.py holds the store to DynamoDB's behavior."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from resolver.errors import RegistrationError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resolver.registration import Claim, Customer, Registration

ACCOUNT = "111122223333"


@dataclass
class FakeMarketplace:
    responses: Mapping[str, Customer | RegistrationError]
    redeemed: list[str] = field(default_factory=list)

    def resolve_customer(self, registration_token: str) -> Customer:
        self.redeemed.append(registration_token)
        response = self.responses[registration_token]
        if isinstance(response, RegistrationError):
            raise response
        return response


@dataclass
class ClaimRecord:
    key: tuple[str, str]
    expires_at: int
    claimant: str | None = None


@dataclass
class FakeStore:
    fail_at: str | None = None
    claims: dict[str, ClaimRecord] = field(default_factory=dict)
    registrations: dict[tuple[str, str], Registration] = field(default_factory=dict)

    def write_claim(self, code_hash: str, customer: Customer, *, expires_at: int) -> None:
        self._fail("write_claim")
        self.claims[code_hash] = ClaimRecord(_key(customer), expires_at)

    def write_registration(self, customer: Customer, *, at: str) -> bool:
        self._fail("write_registration")
        before = self.registrations.get(_key(customer))
        registered_at = before["RegisteredAt"] if before else at
        kept = {name: value for name, value in (before or {}).items() if name != "OfferType"}
        self.registrations[_key(customer)] = cast(
            "Registration", {**kept, **customer, "RegisteredAt": registered_at, "LastRegisteredAt": at}
        )
        return registered_at == at

    def read_claim(self, code_hash: str, *, now: int) -> Claim | None:
        self._fail("read_claim")
        record = self.claims.get(code_hash)
        if record is None or record.expires_at <= now:
            return None
        return cast("Claim | None", self.registrations.get(record.key))

    def take_claim(self, code_hash: str, *, claimant: str, now: int) -> bool:
        self._fail("take_claim")
        record = self.claims.get(code_hash)
        if record is None or record.expires_at <= now or record.claimant not in {None, claimant}:
            return False
        record.claimant = claimant
        return True

    def delete_registration(self, customer: Customer) -> None:
        """Delete it as a seller may."""
        self.registrations.pop(_key(customer), None)

    def delete_claim(self, code_hash: str) -> None:
        """Delete it as time to live does."""
        self.claims.pop(code_hash, None)

    def _fail(self, call: str) -> None:
        if self.fail_at == call:
            raise StoreUnavailableError("InternalServerError")


def _key(customer: Customer) -> tuple[str, str]:
    return customer["CustomerAWSAccountId"], f"{customer['ProductCode']}#{customer.get('LicenseArn', '')}"
