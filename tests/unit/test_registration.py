from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver.errors import (
    ClaimRejectedError,
    MarketplaceThrottledError,
    ProductRejectedError,
    RegistrationError,
    StoreUnavailableError,
    TokenExpiredError,
    TokenMissingError,
)
from resolver.log_line import LogLine
from resolver.registration import Customer, Registrar
from tests.fakes import ACCOUNT, FakeMarketplace, FakeStore

LICENSED: Customer = {
    "CustomerAWSAccountId": ACCOUNT,
    "ProductCode": PRODUCT_CODE,
    "LicenseArn": "arn:aws:license-manager::444455556666:license:l-1",
    "AgreementId": "agmt-1",
}
LEGACY: Customer = {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT_CODE, "CustomerIdentifier": "ifAPi5AcF3"}
STRANGER: Customer = {"CustomerAWSAccountId": ACCOUNT, "ProductCode": "another-sellers"}
RESPONSES: dict[str, Customer | RegistrationError] = {
    "licensed": LICENSED,
    "second-license": {**LICENSED, "LicenseArn": "arn:aws:license-manager::444455556666:license:l-2"},
    "legacy": LEGACY,
    "stranger": STRANGER,
    "expired": TokenExpiredError("ExpiredTokenException"),
    "throttled": MarketplaceThrottledError("ThrottlingException"),
}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def marketplace() -> FakeMarketplace:
    return FakeMarketplace(RESPONSES)


@pytest.fixture
def registrar(marketplace: FakeMarketplace, store: FakeStore, clock: Clock) -> Registrar:
    return Registrar(
        marketplace=marketplace,
        store=store,
        products={PRODUCT_CODE: LANDING_PAGE},
        claim_ttl=timedelta(minutes=10),
        clock=clock,
    )


def new_line() -> LogLine:
    return LogLine(route="POST /register", api_request_id="JKJaXmPLvHcESHA=")


def register(registrar: Registrar, token: str, *, offer_type: str | None = None, line: LogLine | None = None) -> str:
    location = registrar.register(token, offer_type=offer_type, line=line or new_line())
    (code,) = parse_qs(urlsplit(location).query)["registration_code"]
    return code


def test_a_buyer_is_recorded_and_redirected_with_a_code(registrar: Registrar, store: FakeStore) -> None:
    location = registrar.register("licensed", offer_type=None, line=new_line())

    code = location.removeprefix(f"{LANDING_PAGE}?registration_code=")
    assert len(code) == 43
    assert list(store.claims) == [hashlib.sha256(code.encode()).hexdigest()]
    (registration,) = store.registrations.values()
    assert registration == {
        **LICENSED,
        "RegisteredAt": "2026-11-23T12:00:00.000000+00:00",
        "LastRegisteredAt": "2026-11-23T12:00:00.000000+00:00",
    }


@pytest.mark.parametrize(
    ("landing_page", "expected"),
    [
        ("https://a.example", "https://a.example?registration_code="),
        ("https://a.example/s?plan=b%20c&x=", "https://a.example/s?plan=b%20c&x=&registration_code="),
        ("https://a.example/s?a=1#top", "https://a.example/s?a=1&registration_code="),
    ],
)
def test_the_code_is_added_to_the_landing_pages_own_query(landing_page: str, expected: str) -> None:
    registrar = Registrar(
        marketplace=FakeMarketplace(RESPONSES),
        store=FakeStore(),
        products={PRODUCT_CODE: landing_page},
        claim_ttl=timedelta(minutes=10),
    )

    location = registrar.register("legacy", offer_type=None, line=new_line())

    assert location.startswith(expected)
    assert urlsplit(location).fragment == urlsplit(landing_page).fragment


def test_codes_differ_and_have_256_bits(registrar: Registrar) -> None:
    codes = {register(registrar, "licensed") for _ in range(100)}

    assert len(codes) == 100
    assert all(len(code) * 6 >= 256 for code in codes)


def test_registering_again_keeps_the_time_of_the_first_registration(
    registrar: Registrar, store: FakeStore, clock: Clock
) -> None:
    first, again = new_line(), new_line()
    register(registrar, "legacy", line=first)
    clock.now += timedelta(hours=1)

    register(registrar, "legacy", line=again)

    (registration,) = store.registrations.values()
    assert registration["RegisteredAt"] == "2026-11-23T12:00:00.000000+00:00"
    assert registration["LastRegisteredAt"] == "2026-11-23T13:00:00.000000+00:00"
    assert (first.outcome, again.outcome) == ("registered", "registered_again")


def test_two_licenses_of_one_account_are_two_registrations(registrar: Registrar, store: FakeStore) -> None:
    register(registrar, "licensed")
    register(registrar, "second-license")

    assert len(store.registrations) == 2


@pytest.mark.parametrize(("offer_type", "stored"), [("free-trial", "free-trial"), ("admin", None), (None, None)])
def test_only_a_free_trial_is_kept_of_the_offer_type(
    registrar: Registrar, store: FakeStore, offer_type: str | None, stored: str | None
) -> None:
    line = new_line()
    register(registrar, "licensed", offer_type=offer_type, line=line)

    (registration,) = store.registrations.values()
    assert registration.get("OfferType") == stored
    assert line.buyer.get("OfferType") == stored


@pytest.mark.parametrize("token", ["", " ", "\t\n"])
def test_a_blank_token_is_not_redeemed(registrar: Registrar, marketplace: FakeMarketplace, token: str) -> None:
    with pytest.raises(TokenMissingError):
        register(registrar, token)

    assert marketplace.redeemed == []


def test_another_sellers_product_is_rejected_and_its_buyer_logged_but_not_stored(
    registrar: Registrar, store: FakeStore
) -> None:
    line = new_line()

    with pytest.raises(ProductRejectedError):
        register(registrar, "stranger", line=line)

    assert not store.claims
    assert not store.registrations
    assert line.buyer["CustomerAWSAccountId"] == ACCOUNT


@pytest.mark.parametrize("token", ["expired", "throttled"])
def test_a_token_that_cannot_be_redeemed_stores_nothing(registrar: Registrar, store: FakeStore, token: str) -> None:
    line = new_line()

    with pytest.raises(RegistrationError):
        register(registrar, token, line=line)

    assert not store.claims
    assert line.milliseconds.keys() == {"resolve_customer"}


@pytest.mark.parametrize("call", ["write_claim", "write_registration"])
def test_a_registration_fails_unless_both_writes_succeed_and_the_buyer_can_register_again(
    registrar: Registrar, store: FakeStore, call: str
) -> None:
    store.fail_at = call
    with pytest.raises(StoreUnavailableError):
        register(registrar, "licensed")

    store.fail_at = None
    code = register(registrar, "licensed")

    assert registrar.claim(code, idempotency_key=None, line=new_line())["CustomerAWSAccountId"] == ACCOUNT


def test_a_code_can_be_claimed_once(registrar: Registrar) -> None:
    code = register(registrar, "licensed", offer_type="free-trial")
    line = new_line()

    registration = registrar.claim(code, idempotency_key=None, line=line)

    assert {**LICENSED, "OfferType": "free-trial"}.items() <= registration.items()
    assert line.outcome == "claimed"
    with pytest.raises(ClaimRejectedError):
        registrar.claim(code, idempotency_key=None, line=new_line())


def test_calls_with_the_same_idempotency_key_are_one_claimant(registrar: Registrar) -> None:
    code = register(registrar, "licensed")

    first = registrar.claim(code, idempotency_key="signup-1", line=new_line())

    assert registrar.claim(code, idempotency_key="signup-1", line=new_line()) == first
    with pytest.raises(ClaimRejectedError):
        registrar.claim(code, idempotency_key="signup-2", line=new_line())
    with pytest.raises(ClaimRejectedError):
        registrar.claim(code, idempotency_key=None, line=new_line())


@pytest.mark.parametrize("call", ["read_claim", "take_claim"])
def test_a_code_survives_a_claim_that_failed(registrar: Registrar, store: FakeStore, call: str) -> None:
    code = register(registrar, "licensed")
    store.fail_at = call
    with pytest.raises(StoreUnavailableError):
        registrar.claim(code, idempotency_key=None, line=new_line())

    store.fail_at = None

    assert registrar.claim(code, idempotency_key=None, line=new_line())["AgreementId"] == "agmt-1"


def test_an_expired_code_is_rejected_although_it_is_still_stored(
    registrar: Registrar, store: FakeStore, clock: Clock
) -> None:
    code = register(registrar, "licensed")
    clock.now += timedelta(minutes=10)

    with pytest.raises(ClaimRejectedError):
        registrar.claim(code, idempotency_key=None, line=new_line())

    assert store.claims


@pytest.mark.parametrize("code", ["", "short", "x" * 42, "x" * 44, "x" * 42 + "!", "x" * 42 + "\n", "é" * 43])
def test_a_malformed_code_is_rejected_without_reading_the_store(
    registrar: Registrar, store: FakeStore, code: str
) -> None:
    store.fail_at = "read_claim"

    with pytest.raises(ClaimRejectedError):
        registrar.claim(code, idempotency_key=None, line=new_line())
