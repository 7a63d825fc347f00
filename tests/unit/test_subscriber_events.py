"""What each event does, and what becomes of messages that are no event of AWS Marketplace."""

from __future__ import annotations

import copy
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.handler import Handler
from subscriber.log_line import FIELDS, OUTCOMES
from subscriber.marketplace_event import read_envelope, read_event
from subscriptions.errors import EventMalformedError
from subscriptions.rules import Subscriptions
from tests.marketplace_events import (
    AGREEMENT,
    AMENDED,
    BUYER,
    EXAMPLES,
    LICENSE,
    NEW,
    NEXT_AGREEMENT,
    PRODUCT_CODE,
    PRODUCT_ID,
    SELLER,
    TERM,
    TIME,
    agreement_event,
    event,
    license_event,
)
from tests.subscription_fakes import FakeEntitlements, FakeProductCodes, FakeTable, batch_of

if TYPE_CHECKING:
    from tests.marketplace_events import Event

LICENSE_KEY = BUYER, f"{PRODUCT_CODE}#{LICENSE}"
AGREEMENT_KEY = BUYER, f"#{AGREEMENT}"
BY_KIND = {example["detail-type"]: (example, outcome) for example, outcome in EXAMPLES}
HTML = "<script>alert(1)</script>"


class Subscriber:
    """The handler with in-memory collaborators, and its log."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.table = FakeTable()
        self.entitlements = FakeEntitlements()
        self.product_codes = FakeProductCodes()
        self._caplog = caplog
        self._handler = Handler(
            subscriptions=Subscriptions(
                store=self.table,
                entitlements=self.entitlements,
                products=frozenset({PRODUCT_CODE}),
                product_codes=self.product_codes,
            )
        )

    def __call__(self, *events: Event | str) -> list[int]:
        """Handle a batch, and return the positions of the messages that failed."""
        batch = batch_of(events)
        ids = [message["messageId"] for message in batch["Records"]]
        return [ids.index(failure["itemIdentifier"]) for failure in self._handler(batch, None)["batchItemFailures"]]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [vars(record) for record in self._caplog.records if record.name == "subscriber"]

    @property
    def outcomes(self) -> list[Any]:
        return [line["outcome"] for line in self.lines]


@pytest.fixture
def subscriber(caplog: pytest.LogCaptureFixture) -> Subscriber:
    caplog.set_level(logging.INFO, "subscriber")
    return Subscriber(caplog)


def changed(base: Event, *path: str, to: object) -> Event:
    """Return an event with one member replaced, or removed by ``...``."""
    new = copy.deepcopy(base)
    members = new
    for step in path[:-1]:
        members = members[step]
    if to is ...:
        del members[path[-1]]
    else:
        members[path[-1]] = to
    return new


def test_there_are_23_kinds() -> None:
    assert len(BY_KIND) == len(EXAMPLES) == 23


@pytest.mark.parametrize("kind", BY_KIND)
def test_each_kind_has_its_effect(subscriber: Subscriber, kind: str) -> None:
    example, outcome = BY_KIND[kind]

    assert subscriber(example) == []

    (line,) = subscriber.lines
    assert (line["outcome"], line["detail_type"]) == (outcome, kind)
    assert (line["event_id"], line["time"]) == (example["id"], TIME)
    writes = kind.startswith("License") or outcome.startswith("agreement")
    assert bool(subscriber.table.items) == writes


@pytest.mark.parametrize("kind", BY_KIND)
@pytest.mark.parametrize("side", [" - Proposer", " - Manufacturer", ""])
def test_each_kind_is_accepted_from_either_side(subscriber: Subscriber, kind: str, side: str) -> None:
    example, outcome = BY_KIND[kind]

    subscriber({**example, "detail-type": kind.partition(" - ")[0] + side})

    assert subscriber.outcomes == [outcome]


def test_a_license_is_recorded_under_the_key_that_its_registration_has(subscriber: Subscriber) -> None:
    subscriber.entitlements.of[LICENSE] = [{"Dimension": "Users", "Value": {"IntegerValue": 25}}]

    subscriber(license_event("Updated"))

    assert subscriber.table.items == {
        LICENSE_KEY: {
            "CustomerAWSAccountId": BUYER,
            "ProductLicense": f"{PRODUCT_CODE}#{LICENSE}",
            "ProductCode": PRODUCT_CODE,
            "LicenseArn": LICENSE,
            "ProductId": PRODUCT_ID,
            "LicenseStatus": "ACTIVE",
            "LicenseStatusAt": TIME,
            "LicenseAgreementId": AGREEMENT,
            "Entitlements": [{"Dimension": "Users", "Value": {"IntegerValue": 25}}],
            "EntitlementsAt": TIME,
        }
    }
    assert subscriber.entitlements.asked == [(PRODUCT_CODE, LICENSE)]
    (line,) = subscriber.lines
    assert line["CustomerAWSAccountId"] == BUYER
    assert line["LicenseArn"] == LICENSE
    assert {"write_status_ms", "get_entitlements_ms", "write_entitlements_ms"} <= line.keys()


def test_an_agreement_is_recorded_with_its_terms(subscriber: Subscriber) -> None:
    renewal = agreement_event("Created", intent="RENEW", status="ACTIVE", previousAgreementId="agmt-before", **TERM)

    subscriber(renewal)

    assert subscriber.table.items[AGREEMENT_KEY] == {
        "CustomerAWSAccountId": BUYER,
        "ProductLicense": f"#{AGREEMENT}",
        "AgreementStatus": "ACTIVE",
        "AgreementStatusAt": TIME,
        "AgreementTermsAt": TIME,
        "AgreementIntent": "RENEW",
        "AgreementAcceptedAt": TERM["acceptanceTime"],
        "AgreementStartsAt": TERM["startTime"],
        "AgreementEndsAt": TERM["endTime"],
        "PreviousAgreementId": "agmt-before",
        "OfferId": "offer-q2w4e6r8t",
        "ProposerAccountId": SELLER,
    }


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED", "SUPERSEDED"])
def test_an_ended_agreement_ends_no_license(subscriber: Subscriber, status: str) -> None:
    subscriber(license_event("Updated"), agreement_event("Created", **NEW), agreement_event("Ended", status=status))

    assert subscriber.table.items[AGREEMENT_KEY]["AgreementStatus"] == status
    assert subscriber.table.items[AGREEMENT_KEY]["AgreementIntent"] == "NEW"
    assert subscriber.table.items[LICENSE_KEY]["LicenseStatus"] == "ACTIVE"


def test_a_deprovisioned_license_has_no_entitlements_and_asks_for_none(subscriber: Subscriber) -> None:
    subscriber(license_event("Updated"), license_event("Deprovisioned", time="2026-08-20T14:25:28Z"))

    item = subscriber.table.items[LICENSE_KEY]
    assert item["LicenseStatus"] == "DEPROVISIONED"
    assert not {"Entitlements", "EntitlementsAt"} & item.keys()
    assert len(subscriber.entitlements.asked) == 1
    assert subscriber.outcomes == ["license_updated", "license_deprovisioned"]


def test_an_older_event_is_stale_and_changes_nothing(subscriber: Subscriber) -> None:
    subscriber(license_event("Deprovisioned", time="2026-08-20T14:25:28Z"))
    before = copy.deepcopy(subscriber.table.items)

    assert subscriber(license_event("Updated")) == []

    assert subscriber.table.items == before
    assert subscriber.entitlements.asked == []
    assert subscriber.outcomes == ["license_deprovisioned", "event_stale"]


def test_an_agreements_terms_count_although_its_end_came_first(subscriber: Subscriber) -> None:
    ended = agreement_event("Ended", status="CANCELLED", time="2026-08-20T14:25:28Z")

    subscriber(ended, agreement_event("Created", **NEW), agreement_event("Created", **NEW, time="2026-08-20T14:00:00Z"))

    item = subscriber.table.items[AGREEMENT_KEY]
    assert (item["AgreementStatus"], item["AgreementStatusAt"]) == ("CANCELLED", "2026-08-20T14:25:28Z")
    assert (item["AgreementIntent"], item["AgreementTermsAt"]) == ("NEW", TIME)
    assert subscriber.outcomes == ["agreement_ended", "agreement_recorded", "event_stale"]


@pytest.mark.parametrize("kinds", [("Created", "Amended"), ("Amended", "Created")])
def test_at_the_same_second_an_amendment_wins(subscriber: Subscriber, kinds: tuple[str, str]) -> None:
    intents = {"Created": NEW, "Amended": AMENDED}

    subscriber(*(agreement_event(kind, **intents[kind]) for kind in kinds))

    assert subscriber.table.items[AGREEMENT_KEY]["AgreementIntent"] == "AMEND"


@pytest.mark.parametrize("order", [1, -1])
def test_at_the_same_second_the_end_of_an_agreement_wins(subscriber: Subscriber, order: int) -> None:
    subscriber(*[agreement_event("Created", **NEW), agreement_event("Ended", status="CANCELLED")][::order])

    assert subscriber.table.items[AGREEMENT_KEY]["AgreementStatus"] == "CANCELLED"


def test_a_later_update_makes_a_deprovisioned_license_active_again(subscriber: Subscriber) -> None:
    subscriber(license_event("Deprovisioned"), license_event("Updated", time="2026-08-20T14:25:28Z"))

    assert subscriber.table.items[LICENSE_KEY]["LicenseStatus"] == "ACTIVE"


@pytest.mark.parametrize("kinds", [("Updated", "Deprovisioned"), ("Deprovisioned", "Updated")])
def test_at_the_same_second_deprovisioned_wins(subscriber: Subscriber, kinds: tuple[str, str]) -> None:
    subscriber(*(license_event(kind) for kind in kinds))

    assert subscriber.table.items[LICENSE_KEY]["LicenseStatus"] == "DEPROVISIONED"


def test_a_repeat_asks_for_the_entitlements_again(subscriber: Subscriber) -> None:
    subscriber(license_event("Updated"), license_event("Updated"))

    assert subscriber.outcomes == ["license_updated"] * 2
    assert len(subscriber.entitlements.asked) == 2


def test_entitlements_that_a_newer_event_overtook_are_dropped(subscriber: Subscriber) -> None:
    class Overtaken(FakeEntitlements):
        def of_license(self, product_code: str, license_arn: str) -> list[Any]:
            subscriber(license_event("Deprovisioned", time="2026-08-20T14:25:28Z"))
            return super().of_license(product_code, license_arn)

    Handler(
        subscriptions=Subscriptions(
            store=subscriber.table, entitlements=Overtaken(), products=frozenset({PRODUCT_CODE})
        )
    )(batch_of([license_event("Updated")]), None)

    assert "Entitlements" not in subscriber.table.items[LICENSE_KEY]
    assert subscriber.outcomes == ["license_deprovisioned", "event_stale"]


def test_a_license_of_another_product_is_ignored_quietly(subscriber: Subscriber) -> None:
    assert subscriber(license_event("Updated", product_code="another")) == []

    assert subscriber.table.items == {}
    assert subscriber.lines[0]["outcome"] == "other_product"
    assert subscriber.lines[0]["levelname"] == "INFO"


@pytest.mark.parametrize("product_code", [PRODUCT_CODE, "another"])
def test_any_products_code_is_recorded_with_its_id(subscriber: Subscriber, product_code: str) -> None:
    subscriber(license_event("Updated", product_code=product_code))

    assert subscriber.product_codes.of == {PRODUCT_ID: product_code}
    assert "write_product_ms" in subscriber.lines[0]


@pytest.mark.parametrize("product_code", [PRODUCT_CODE, "another"])
def test_a_product_that_cannot_be_recorded_leaves_the_message_in_the_queue(
    subscriber: Subscriber, product_code: str
) -> None:
    subscriber.product_codes.failing = True

    assert subscriber(license_event("Updated", product_code=product_code)) == [0]
    assert subscriber.outcomes == ["store_unavailable"]


def test_an_advisory_is_a_warning(subscriber: Subscriber) -> None:
    subscriber(BY_KIND["Purchase Agreement Advisory Issued - Manufacturer"][0])

    (line,) = subscriber.lines
    assert line["levelname"] == "WARNING"
    assert (line["CustomerAWSAccountId"], line["ProductId"], line["AgreementId"]) == (BUYER, PRODUCT_ID, AGREEMENT)


def test_an_advisory_is_reported_whatever_it_lacks(subscriber: Subscriber) -> None:
    assert subscriber(event("Purchase Agreement Advisory Issued - Manufacturer", {"product": HTML})) == []

    assert subscriber.outcomes == ["advisory_issued"]


def test_an_unknown_kind_is_logged_and_does_no_harm(subscriber: Subscriber) -> None:
    assert subscriber(event("Purchase Agreement Frozen - Proposer", {"anything": [1, None]})) == []

    (line,) = subscriber.lines
    assert (line["outcome"], line["levelname"]) == ("event_unknown", "INFO")
    assert line["detail_type"] == "Purchase Agreement Frozen - Proposer"


def test_an_unknown_kind_is_logged_short_and_without_markup(subscriber: Subscriber) -> None:
    subscriber(event(f"{HTML}\n{{}}" + "x" * 1000, {}))

    detail_type = subscriber.lines[0]["detail_type"]
    assert len(detail_type) == 80
    assert not set("<>()/\n{}") & set(detail_type)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "NotJson"),
        ("{", "NotJson"),
        ("[" * 100_000, "NotJson"),
        ("[]", "NotAnObject"),
        ("null", "NotAnObject"),
        ("{}", "OtherSource"),
    ],
)
def test_a_message_that_is_no_event_fails_alone(subscriber: Subscriber, body: str, reason: str) -> None:
    assert subscriber(license_event("Updated"), body, agreement_event("Created", **NEW)) == [1]

    assert subscriber.outcomes == ["license_updated", "event_malformed", "agreement_recorded"]
    line = subscriber.lines[1]
    assert (line["reason"], line["levelname"]) == (reason, "ERROR")


UPDATED = license_event("Updated")
CREATED = agreement_event("Created", **NEW)
ENDED = agreement_event("Ended", status="CANCELLED")


@pytest.mark.parametrize(
    ("malformed", "reason"),
    [
        (changed(UPDATED, "source", to="aws.agreement-marketplace.example"), "OtherSource"),
        (changed(UPDATED, "source", to=...), "OtherSource"),
        (changed(UPDATED, "detail-type", to=1), "DetailTypeInvalid"),
        (changed(UPDATED, "detail-type", to=...), "DetailTypeInvalid"),
        (changed(UPDATED, "detail", to=[]), "DetailInvalid"),
        (changed(UPDATED, "detail", to=...), "DetailInvalid"),
        (changed(UPDATED, "id", to=HTML), "IdInvalid"),
        (changed(UPDATED, "id", to=...), "IdMissing"),
        (changed(UPDATED, "time", to=...), "TimeMissing"),
        (changed(UPDATED, "time", to="2026-08-20T14:24:23.5Z"), "TimeInvalid"),
        (changed(UPDATED, "time", to="2026-08-20T16:24:23+02:00"), "TimeInvalid"),
        (changed(UPDATED, "time", to="2026-02-30T14:24:23Z"), "TimeInvalid"),
        (changed(UPDATED, "time", to="٢٠٢٦-08-20T14:24:23Z"), "TimeInvalid"),
        (changed(UPDATED, "time", to=1787235863), "TimeInvalid"),
        (changed(UPDATED, "detail", "acceptor", to=...), "AcceptorAccountMissing"),
        (changed(UPDATED, "detail", "acceptor", to=None), "AcceptorAccountMissing"),
        (changed(UPDATED, "detail", "acceptor", to=BUYER), "AcceptorAccountInvalid"),
        (changed(UPDATED, "detail", "acceptor", "accountId", to="1234"), "AcceptorAccountInvalid"),
        (changed(UPDATED, "detail", "acceptor", "accountId", to=111122223333), "AcceptorAccountInvalid"),
        (changed(UPDATED, "detail", "product", to=...), "ProductCodeMissing"),
        (changed(UPDATED, "detail", "product", "code", to="a#b"), "ProductCodeInvalid"),
        (changed(UPDATED, "detail", "product", "id", to=HTML), "ProductIdInvalid"),
        (changed(UPDATED, "detail", "license", to=...), "LicenseArnMissing"),
        (changed(UPDATED, "detail", "license", "arn", to=""), "LicenseArnMissing"),
        (changed(UPDATED, "detail", "license", "arn", to=HTML), "LicenseArnInvalid"),
        (changed(UPDATED, "detail", "license", "arn", to=f"{LICENSE}\n"), "LicenseArnInvalid"),
        (changed(UPDATED, "detail", "license", "arn", to="l" * 999), "LicenseArnInvalid"),
        (changed(UPDATED, "detail", "license", "arn", to=[LICENSE]), "LicenseArnInvalid"),
        (changed(UPDATED, "detail", "agreement", "id", to={"id": AGREEMENT}), "AgreementIdInvalid"),
        (changed(CREATED, "detail", "agreement", "id", to=...), "AgreementIdMissing"),
        (changed(CREATED, "detail", "agreement", "intent", to=HTML), "AgreementIntentInvalid"),
        (changed(CREATED, "detail", "agreement", "intent", to=...), "AgreementIntentMissing"),
        (changed(CREATED, "detail", "agreement", "status", to=...), "AgreementStatusMissing"),
        (changed(CREATED, "detail", "agreement", "endTime", to=HTML), "AgreementTimesInvalid"),
        (changed(CREATED, "detail", "proposer", "accountId", to="seller"), "ProposerAccountInvalid"),
        (changed(ENDED, "detail", "agreement", "status", to="ACTIVE"), "AgreementStatusInvalid"),
        (changed(ENDED, "detail", "agreement", "status", to=["CANCELLED"]), "AgreementStatusInvalid"),
    ],
)
def test_a_malformed_event_writes_nothing_and_goes_to_the_dead_letter_queue(
    subscriber: Subscriber, malformed: Event, reason: str
) -> None:
    assert subscriber(malformed) == [0]

    assert subscriber.table.items == {}
    (line,) = subscriber.lines
    assert (line["outcome"], line["reason"], line["levelname"]) == ("event_malformed", reason, "ERROR")
    assert HTML not in json.dumps({name: line[name] for name in FIELDS if name in line})


@pytest.mark.parametrize(
    "sparse",
    [
        changed(UPDATED, "detail", "agreement", to=...),
        changed(UPDATED, "detail", "product", "id", to=None),
        changed(UPDATED, "detail", "offer", to=...),
        changed(CREATED, "detail", "proposer", to=...),
        changed(CREATED, "detail", "agreement", "endTime", to=""),
        {**CREATED, "unknown": [{}]},
    ],
)
def test_a_member_that_is_not_needed_may_be_missing_or_new(subscriber: Subscriber, sparse: Event) -> None:
    assert subscriber(sparse) == []

    assert len(subscriber.table.items) == 1


@pytest.mark.parametrize(
    "spelling",
    [
        "aws:license-manager:us-east-1:294406891311:l-5f0e7c3a",
        "arn:aws:license-manager::294406891311:license/lic-5f0e7c3a",
        "arn:aws-eusc:license-manager:eusc-de-east-1:294406891311:license:l-5f0e7c3a",
    ],
)
def test_a_license_arn_is_stored_as_it_came(subscriber: Subscriber, spelling: str) -> None:
    subscriber(license_event("Updated", license_arn=spelling))

    assert (BUYER, f"{PRODUCT_CODE}#{spelling}") in subscriber.table.items


def test_a_license_without_an_agreement_any_more_names_none(subscriber: Subscriber) -> None:
    later = changed(license_event("Updated", time="2026-08-20T15:00:00Z"), "detail", "agreement", to=...)

    subscriber(license_event("Updated", agreement=NEXT_AGREEMENT), later)

    assert "LicenseAgreementId" not in subscriber.table.items[LICENSE_KEY]


@pytest.mark.parametrize(
    "failing", ["write_license", "write_entitlements", "write_agreement_terms", "write_agreement_status"]
)
def test_a_failed_write_leaves_the_message_in_the_queue(subscriber: Subscriber, failing: str) -> None:
    subscriber.table.fail_at = failing
    events = [UPDATED, CREATED]

    (failed,) = subscriber(*events)

    line = subscriber.lines[failed]
    assert (line["outcome"], line["reason"], line["levelname"]) == (
        "store_unavailable",
        "InternalServerError",
        "WARNING",
    )
    subscriber.table.fail_at = None
    assert subscriber(*events) == []


def test_a_defect_fails_its_message_alone_and_says_where(subscriber: Subscriber) -> None:
    def fail(_: object) -> bool:
        raise ZeroDivisionError(HTML)

    subscriber.table.write_license = fail  # type: ignore[method-assign,assignment] # the defect

    assert subscriber(UPDATED, CREATED) == [0]

    line = subscriber.lines[0]
    assert (line["outcome"], line["levelname"]) == ("unexpected_error", "ERROR")
    assert line["reason"].startswith("ZeroDivisionError in test_subscriber_events.py:")


def test_a_line_has_only_the_fields_that_it_is_said_to_have(subscriber: Subscriber) -> None:
    usual = vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime", "taskName"}
    subscriber(*(example for example, _ in EXAMPLES), "{", license_event("Updated", product_code="another"))

    assert {name for line in subscriber.lines for name in line} - usual == {*FIELDS}
    assert set(subscriber.outcomes) <= {*OUTCOMES}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def paths(members: object, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(members, dict):
        return []
    return [path for name, value in members.items() for path in ((*before, name), *paths(value, (*before, name)))]


@given(st.data())
def test_whatever_a_member_is_replaced_by_the_event_is_read_or_malformed(data: st.DataObject) -> None:
    example, _ = data.draw(st.sampled_from(EXAMPLES))
    hostile = changed(example, *data.draw(st.sampled_from(paths(example))), to=data.draw(json_values))

    try:
        read = vars(read_event(read_envelope(json.dumps(hostile))))
    except EventMalformedError:
        return
    texts = [value for value in (*read.values(), *(read.get("terms") or {}).values()) if isinstance(value, str)]
    assert all(text.isprintable() and not set("<>&'\"# ") & set(text) for text in texts)
