"""In-memory collaborators of the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from resolver.errors import RegistrationError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resolver.registration import Customer, Registration

ACCOUNT = "111122223333"


@dataclass
class FakeMarketplace:
    answers: Mapping[str, Customer | RegistrationError]
    redeemed: list[str] = field(default_factory=list)

    def resolve_customer(self, registration_token: str) -> Customer:
        self.redeemed.append(registration_token)
        answer = self.answers[registration_token]
        if isinstance(answer, RegistrationError):
            raise answer
        return answer


@dataclass
class FakeStore:
    fail_at: str | None = None
    claims: dict[str, dict[str, object]] = field(default_factory=dict)
    registrations: dict[tuple[str, str], Registration] = field(default_factory=dict)

    def write_claim(self, code_hash: str, customer: Customer, *, expires_at: int) -> None:
        self._fail("write_claim")
        self.claims[code_hash] = {"key": _key(customer), "expires_at": expires_at}

    def write_registration(self, customer: Customer, *, at: str) -> bool:
        self._fail("write_registration")
        before = self.registrations.get(_key(customer))
        registered_at = before["RegisteredAt"] if before else at
        self.registrations[_key(customer)] = cast(
            "Registration", {**(before or {}), **customer, "RegisteredAt": registered_at, "LastRegisteredAt": at}
        )
        return before is None

    def read_claim(self, code_hash: str, *, now: int) -> Registration | None:
        self._fail("read_claim")
        claim = self.claims.get(code_hash)
        if claim is None or cast("int", claim["expires_at"]) <= now:
            return None
        return self.registrations[cast("tuple[str, str]", claim["key"])]

    def take_claim(self, code_hash: str, *, claimant: str, now: int) -> bool:
        self._fail("take_claim")
        claim = self.claims[code_hash]
        return cast("int", claim["expires_at"]) > now and claim.setdefault("claimant", claimant) == claimant

    def _fail(self, call: str) -> None:
        if self.fail_at == call:
            raise StoreUnavailableError("InternalServerError")


def _key(customer: Customer) -> tuple[str, str]:
    return customer["CustomerAWSAccountId"], f"{customer['ProductCode']}#{customer.get('LicenseArn', '')}"
