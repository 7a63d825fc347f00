"""What each change of an item tells the seller, and how it is delivered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from publisher.delivery import ATTEMPTS, MAX_BYTES, Delivery
from publisher.errors import EventBusThrottledError, EventBusUnavailableError
from publisher.handler import Handler
from publisher.log_line import FIELDS, OUTCOMES
from publisher.publications import Change, Publications
from subscriptions.rules import AgreementEvent, LicenseEvent
from tests.fakes import ACCOUNT
from tests.subscription_fakes import TABLE_ARN, FakeEventBus, FakeTable, record_of, stream_batch_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from publisher.delivery import Entry
    from publisher.errors import PublisherError

PRODUCT = "product"
FIRST, SECOND = "arn:aws:license-manager::1:license:l-1", "arn:aws:license-manager::1:license:l-2"
REGISTERED, LATER = "2026-11-23T12:00:00.000000+00:00", "2026-11-24T12:00:00.000000+00:00"
USERS: list[Any] = [{"Dimension": "Users", "Value": {"IntegerValue": 25}}]


def at(minute: int) -> str:
    return f"2026-11-23T12:{minute:02}:00Z"


class Publisher:
    """The handler between an in-memory table and bus, and its log."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.table = FakeTable()
        self.bus = FakeEventBus()
        self.slept: list[float] = []
        self._caplog = caplog
        self._handler = Handler(
            publications=Publications(self.table), delivery=lambda: Delivery(self.bus, sleep=self.slept.append)
        )

    def active(
        self, minute: int, license_arn: str = FIRST, *, agreement: str = "agmt-1", product: str = PRODUCT
    ) -> None:
        self.table.write_license(self._event(minute, license_arn, "ACTIVE", agreement, product))

    def deprovisioned(self, minute: int, license_arn: str = FIRST) -> None:
        self.table.write_license(self._event(minute, license_arn, "DEPROVISIONED", "agmt-1", PRODUCT))

    def entitled(self, minute: int, entitlements: list[Any] | None = None, license_arn: str = FIRST) -> None:
        event = self._event(minute, license_arn, "ACTIVE", "agmt-1", PRODUCT)
        assert self.table.write_entitlements(event, USERS if entitlements is None else entitlements)

    def agreement(self, minute: int, status: str = "ACTIVE", *, agreement: str = "agmt-1") -> None:
        event = AgreementEvent(at=at(minute), account=ACCOUNT, agreement_id=agreement, status=status)
        self.table.write_agreement_status(event)

    def register(self, license_arn: str = FIRST, *, when: str = REGISTERED, **more: str) -> None:
        self.table.register(ACCOUNT, PRODUCT, license_arn, at=when, **more)

    def changes(self) -> list[Change]:
        """Return the stream's records in the order of the writes, and empty it."""
        changes = [change for of_item in self.table.stream.values() for change in of_item]
        self.table.stream.clear()
        return sorted(changes, key=lambda change: int(change.record_id.removeprefix("record-")))

    def publish(self) -> list[str]:
        """Publish what the stream holds, and return the kinds that were put."""
        before = len(self.bus.accepted)
        assert self.handle(self.changes()) == []
        return self.bus.kinds[before:]

    def handle(self, changes: Sequence[Change]) -> list[int]:
        """Handle a batch, and return the position of the record to repeat from."""
        batch = stream_batch_of(changes)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch["Records"]]
        failures = self._handler(batch, None)["batchItemFailures"]
        return [numbers.index(failure["itemIdentifier"]) for failure in failures]

    def handle_record(self, record: dict[str, Any]) -> Any:
        return self._handler({"Records": [record]}, None)["batchItemFailures"]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [vars(record) for record in self._caplog.records if record.name == "publisher"]

    @staticmethod
    def _event(minute: int, license_arn: str, status: Any, agreement: str, product: str) -> LicenseEvent:
        return LicenseEvent(
            at=at(minute),
            account=ACCOUNT,
            product_code=product,
            license_arn=license_arn,
            status=status,
            agreement_id=agreement,
        )


@pytest.fixture
def publisher(caplog: pytest.LogCaptureFixture) -> Publisher:
    caplog.set_level(logging.INFO, "publisher")
    return Publisher(caplog)


def test_a_life_is_told_in_order(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.entitled(1)
    publisher.active(2, agreement="agmt-2")
    publisher.deprovisioned(3)
    publisher.active(4)
    publisher.table.delete(ACCOUNT, f"{PRODUCT}#{FIRST}")

    assert publisher.publish() == [
        "Buyer Registered",
        "Subscription Ready",
        "Subscription Changed",
        "Subscription Changed",
        "Subscription Ended",
        "Subscription Ready",
        "Subscription Ended",
    ]
    revisions = [detail["revision"] for detail in publisher.bus.details[1:]]
    assert revisions == sorted(revisions)


def test_ready_comes_whichever_of_the_two_was_last(publisher: Publisher) -> None:
    publisher.active(1)
    assert publisher.publish() == []

    publisher.register()
    assert publisher.publish() == ["Buyer Registered", "Subscription Ready"]


def test_neither_a_license_nor_a_registration_alone_is_ready(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1, SECOND)

    assert publisher.publish() == ["Buyer Registered"]


def test_a_registration_after_the_end_is_not_ready(publisher: Publisher) -> None:
    publisher.active(1)
    publisher.deprovisioned(2)
    publisher.register()

    assert publisher.publish() == ["Buyer Registered"]


def test_an_event_has_the_public_attributes_now_and_before(publisher: Publisher) -> None:
    publisher.register(AgreementId="agmt-1", CustomerIdentifier="id")
    publisher.active(1)
    publisher.publish()

    ready = publisher.bus.accepted[1]
    detail = publisher.bus.details[1]
    registered = {
        "CustomerAWSAccountId": ACCOUNT,
        "ProductCode": PRODUCT,
        "LicenseArn": FIRST,
        "AgreementId": "agmt-1",
        "CustomerIdentifier": "id",
        "RegisteredAt": REGISTERED,
        "LastRegisteredAt": REGISTERED,
    }
    assert (ready.kind, ready.resource) == ("Subscription Ready", TABLE_ARN)
    assert detail.keys() == {"id", "revision", "registration", "previous"}
    assert detail["previous"] == registered
    assert detail["registration"] == {
        **registered,
        "LicenseStatus": "ACTIVE",
        "LicenseStatusAt": at(1),
        "LicenseAgreementId": "agmt-1",
    }


def test_a_new_item_has_no_previous(publisher: Publisher) -> None:
    publisher.register()
    publisher.publish()

    assert publisher.bus.details[0]["previous"] is None


def test_what_others_added_to_an_item_is_not_published(publisher: Publisher) -> None:
    publisher.register()
    (change,) = publisher.changes()
    record = record_of(change)
    record["dynamodb"]["NewImage"] |= {
        "Email": {"S": "buyer@example.com"},
        "OfferType": {"SS": ["free-trial"]},
        "Entitlements": {"L": [{"B": "aGk="}]},
    }

    assert publisher.handle_record(record) == []

    (detail,) = publisher.bus.details
    assert not {"Email", "OfferType", "Entitlements", "ProductLicense"} & detail["registration"].keys()


def test_registering_again_tells_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.publish()

    publisher.register(when=LATER)

    assert publisher.publish() == []


def test_a_repeated_update_without_another_entitlement_changes_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.entitled(1, [])
    publisher.active(2)
    publisher.entitled(2, [])

    assert publisher.publish() == ["Buyer Registered", "Subscription Ready"]


def test_entitlements_that_come_after_the_status_are_a_change(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.entitled(1)
    publisher.publish()

    assert "Entitlements" not in publisher.bus.details[1]["registration"]
    assert publisher.bus.details[2]["registration"]["Entitlements"] == USERS
    assert publisher.bus.details[1]["revision"] < publisher.bus.details[2]["revision"]


def test_entitlements_are_newer_than_the_status_that_they_were_asked_for(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.entitled(1)
    publisher.active(2, agreement="agmt-2")
    publisher.entitled(2, [])
    publisher.publish()

    revisions = [detail["revision"] for detail in publisher.bus.details]
    assert revisions == sorted(set(revisions))


def test_a_registration_asks_the_table_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.publish()
    assert publisher.table.reads == []

    publisher.active(1)
    publisher.publish()
    publisher.register(when=LATER)
    publisher.publish()
    assert publisher.table.reads == [f"{PRODUCT}#"]


def test_a_registered_attribute_that_is_removed_ends_the_subscription(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.publish()
    (old,) = publisher.table.items.values()
    new = {name: value for name, value in old.items() if name != "RegisteredAt"}
    record = record_of(Change(record_id="record-99", account=ACCOUNT, sort_key=f"{PRODUCT}#{FIRST}", old=old, new=new))

    assert publisher.handle_record(record) == []

    assert publisher.bus.kinds[-1] == "Subscription Ended"
    revisions = [detail["revision"] for detail in publisher.bus.details]
    assert revisions == sorted(revisions)


def test_a_deleted_registration_ends_with_its_key_alone(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.table.delete(ACCOUNT, f"{PRODUCT}#{FIRST}")
    publisher.publish()

    detail = publisher.bus.details[-1]
    assert detail["registration"] == {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT, "LicenseArn": FIRST}
    assert detail["previous"]["LicenseStatus"] == "ACTIVE"


def test_a_deleted_item_that_was_not_ready_tells_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.publish()

    publisher.table.delete(ACCOUNT, f"{PRODUCT}#{FIRST}")

    assert publisher.publish() == []


# Agreements


def test_a_change_of_the_agreement_is_one_of_the_ready_subscriptions_with_it(publisher: Publisher) -> None:
    for license_arn, agreement in ((FIRST, "agmt-1"), (SECOND, "agmt-2")):
        publisher.register(license_arn)
        publisher.active(1, license_arn, agreement=agreement)
    publisher.active(1, "l-not-registered")
    publisher.publish()

    publisher.agreement(2)
    assert publisher.publish() == ["Subscription Changed"]
    publisher.agreement(3, "CANCELLED")
    assert publisher.publish() == ["Subscription Changed"]

    detail = publisher.bus.details[-1]
    assert detail["registration"]["LicenseArn"] == FIRST
    assert (detail["previous"]["AgreementStatus"], detail["registration"]["AgreementStatus"]) == ("ACTIVE", "CANCELLED")
    assert detail["registration"]["AgreementStatusAt"] == at(3)


def test_the_same_agreement_at_a_later_time_tells_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.agreement(2)
    publisher.publish()
    publisher.table.reads.clear()

    publisher.agreement(3)

    assert publisher.publish() == []
    assert publisher.table.reads == []


def test_an_agreement_of_a_subscription_that_is_not_ready_tells_nothing(publisher: Publisher) -> None:
    publisher.register()
    publisher.agreement(1)
    publisher.deprovisioned(2)
    publisher.agreement(3, "EXPIRED")

    assert publisher.publish() == ["Buyer Registered"]


def test_an_attribute_that_others_wrote_to_an_agreement_does_no_harm(publisher: Publisher) -> None:
    publisher.agreement(1)
    publisher.table.items[ACCOUNT, "#agmt-1"] |= {"LicenseStatus": "ACTIVE", "AgreementId": "agmt-1", "LicenseArn": "l"}
    publisher.agreement(2, "EXPIRED")

    assert publisher.publish() == []


def test_the_agreement_that_the_latest_license_event_named_counts(publisher: Publisher) -> None:
    publisher.register(AgreementId="agmt-1")
    publisher.active(1)
    publisher.active(2, agreement="agmt-2")
    publisher.publish()

    publisher.agreement(3, "RENEWED", agreement="agmt-1")
    assert publisher.publish() == []
    publisher.agreement(3, agreement="agmt-2")
    assert publisher.publish() == ["Subscription Changed"]


# Legacy registrations


@pytest.mark.parametrize("first", ["license", "registration"])
@pytest.mark.parametrize("together", [False, True])
def test_a_legacy_registration_is_ready_in_either_order(publisher: Publisher, first: str, *, together: bool) -> None:
    told = []
    for part in ("license", "registration") if first == "license" else ("registration", "license"):
        if part == "license":
            publisher.active(1)
            publisher.entitled(1)
        else:
            publisher.register("", CustomerIdentifier="id")
        if not together:
            told += publisher.publish()
    told += publisher.publish()

    assert set(told) - {"Subscription Changed"} == {"Buyer Registered", "Subscription Ready"}
    detail = publisher.bus.details[-1]
    assert detail["registration"] == {
        "CustomerAWSAccountId": ACCOUNT,
        "ProductCode": PRODUCT,
        "CustomerIdentifier": "id",
        "RegisteredAt": REGISTERED,
        "LastRegisteredAt": REGISTERED,
        "LicenseStatus": "ACTIVE",
        "LicenseStatusAt": at(1),
        "Entitlements": USERS,
    }


def test_a_legacy_registration_lasts_while_one_license_is_active(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1)
    publisher.publish()

    publisher.active(2, SECOND)
    assert publisher.publish() == ["Subscription Ready"]
    publisher.entitled(2, license_arn=SECOND)
    assert publisher.publish() == ["Subscription Changed"]
    publisher.deprovisioned(3)
    assert publisher.publish() == ["Subscription Changed"]
    publisher.deprovisioned(4, SECOND)
    assert publisher.publish() == ["Subscription Ended"]

    detail = publisher.bus.details[-1]
    assert detail["registration"]["LicenseStatus"] == "DEPROVISIONED"
    assert (detail["previous"]["LicenseStatus"], detail["previous"]["Entitlements"]) == ("ACTIVE", USERS)
    revisions = [detail["revision"] for detail in publisher.bus.details]
    assert revisions == sorted(revisions)


def test_a_license_that_is_learned_of_late_does_not_seem_older_than_the_end_of_another(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1)
    publisher.deprovisioned(20)
    publisher.publish()

    publisher.active(10, SECOND)
    assert publisher.publish() == ["Subscription Ready"]

    revisions = [detail["revision"] for detail in publisher.bus.details]
    assert revisions[-1] > max(revisions[:-1])


def test_a_license_of_another_product_is_not_the_legacy_registrations(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1, product="product-two")

    assert publisher.publish() == ["Buyer Registered"]


def test_a_legacy_registration_is_not_ready_by_a_license_that_has_ended_since(publisher: Publisher) -> None:
    publisher.active(1)
    publisher.deprovisioned(2)
    publisher.register("")

    assert "Subscription Ready" not in publisher.publish()


def test_a_legacy_registration_that_is_deleted_ends_even_if_its_license_was_deleted_first(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1)
    publisher.publish()

    publisher.table.delete(ACCOUNT, f"{PRODUCT}#{FIRST}")
    publisher.table.delete(ACCOUNT, f"{PRODUCT}#")

    assert publisher.publish() == ["Subscription Ended"]
    assert publisher.bus.details[-1]["registration"] == {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT}


def test_a_legacy_registration_that_is_gone_when_its_record_is_read_is_not_ready(publisher: Publisher) -> None:
    publisher.register("")
    publisher.table.delete(ACCOUNT, f"{PRODUCT}#")
    publisher.active(1)

    assert publisher.publish() == ["Buyer Registered", "Subscription Ended"]


def test_registering_a_legacy_customer_again_asks_and_tells_nothing(publisher: Publisher) -> None:
    publisher.register("")
    publisher.publish()
    publisher.table.reads.clear()

    publisher.register("", when=LATER)

    assert publisher.publish() == []
    assert publisher.table.reads == []


def test_a_legacy_customer_who_registers_with_a_license_has_two_subscriptions(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1)
    publisher.register()
    publisher.publish()
    publisher.deprovisioned(2)

    assert publisher.publish() == ["Subscription Ended"] * 2
    ended = [detail["registration"].get("LicenseArn") for detail in publisher.bus.details[-2:]]
    assert ended == [FIRST, None]


def test_an_agreement_of_a_legacy_subscription_changes_it(publisher: Publisher) -> None:
    publisher.register("")
    publisher.active(1)
    publisher.publish()

    publisher.agreement(2)

    assert publisher.publish() == ["Subscription Changed"]
    assert "LicenseArn" not in publisher.bus.details[-1]["registration"]


# Items of others


@pytest.mark.parametrize("sort_key", ["another shape", "#", "product#"])
def test_an_item_of_another_shape_does_no_harm(publisher: Publisher, sort_key: str) -> None:
    publisher.register()
    (change,) = publisher.changes()
    record = record_of(change)
    record["dynamodb"]["Keys"]["ProductLicense"] = {"S": sort_key}
    record["dynamodb"]["NewImage"] = {"RegisteredAt": {"N": "1"}, "AgreementStatus": {"NULL": True}}

    assert publisher.handle_record(record) == []

    assert publisher.bus.calls == []


def test_times_that_others_wrote_count_as_none(publisher: Publisher) -> None:
    publisher.register(when="yesterday")

    assert publisher.publish() == ["Buyer Registered"]
    assert publisher.bus.details[0]["revision"] == 0


# Delivery


def many(publisher: Publisher, count: int) -> list[Change]:
    for number in range(count):
        publisher.register(f"license-{number}")
    return publisher.changes()


def test_a_call_has_ten_events_at_most(publisher: Publisher) -> None:
    assert publisher.handle(many(publisher, 25)) == []

    assert [len(call) for call in publisher.bus.calls] == [10, 10, 5]


def test_a_call_has_at_most_one_event_of_a_subscription(publisher: Publisher) -> None:
    publisher.active(1)
    publisher.register()
    publisher.register(SECOND)

    publisher.publish()

    assert [[entry.kind for entry in call] for call in publisher.bus.calls] == [
        ["Buyer Registered", "Buyer Registered"],
        ["Subscription Ready"],
    ]


def test_a_call_is_no_larger_than_eventbridge_accepts(publisher: Publisher) -> None:
    for license_arn in (FIRST, SECOND):
        publisher.register(license_arn)
        publisher.active(1, license_arn)
        publisher.entitled(1, [{"Dimension": "x" * (MAX_BYTES * 2 // 3)}], license_arn)

    publisher.publish()

    assert all(sum(entry.size for entry in call) <= MAX_BYTES for call in publisher.bus.calls)
    assert publisher.bus.kinds.count("Subscription Changed") == 2


def test_an_event_that_is_too_large_goes_without_what_was_before(publisher: Publisher) -> None:
    publisher.register()
    publisher.active(1)
    publisher.entitled(1, [{"Dimension": "x" * (MAX_BYTES * 2 // 3)}])
    publisher.active(2)
    publisher.entitled(2, [{"Dimension": "y" * (MAX_BYTES * 2 // 3)}])

    publisher.publish()

    assert [detail["previous"] is None for detail in publisher.bus.details] == [True, False, False, True]


def test_an_event_that_is_still_too_large_stops_the_batch_there_with_a_reason(publisher: Publisher) -> None:
    publisher.register(SECOND)
    publisher.register()
    publisher.active(1)
    publisher.entitled(1, [{"Dimension": "ä" * (MAX_BYTES // 2)}])
    publisher.register("another")

    assert publisher.handle(publisher.changes()) == [3]

    assert publisher.bus.kinds == ["Buyer Registered", "Buyer Registered", "Subscription Ready"]
    line = next(line for line in publisher.lines if line["outcome"] == "publication_too_large")
    assert line["reason"].startswith("SubscriptionChangedOf")
    assert (line["levelname"], line["LicenseArn"]) == ("ERROR", FIRST)


class Failing:
    """Fails for the entries that contain a text, so many times."""

    def __init__(self, text: str, times: int, failure: PublisherError) -> None:
        self._text, self._times, self._failure = text, times, failure

    def __call__(self, entry: Entry) -> PublisherError | None:
        if self._text not in entry.detail or not self._times:
            return None
        self._times -= 1
        return self._failure


def test_what_failed_is_put_again_and_what_follows_it_waits(publisher: Publisher) -> None:
    publisher.bus.decide = Failing(FIRST, 2, EventBusThrottledError("ThrottlingException"))
    publisher.active(1)
    publisher.register()
    publisher.register(SECOND)

    publisher.publish()

    assert [len(call) for call in publisher.bus.calls] == [2, 1, 1, 1]
    assert publisher.bus.kinds == ["Buyer Registered", "Buyer Registered", "Subscription Ready"]
    assert publisher.slept == [0.2, 0.4]
    assert [(line["outcome"], line["attempts"]) for line in publisher.lines] == [
        ("published", 1),
        ("published", 3),
        ("published", 1),
    ]


def test_the_batch_is_repeated_from_the_first_record_that_is_not_done(publisher: Publisher) -> None:
    publisher.bus.decide = Failing(FIRST, ATTEMPTS, EventBusUnavailableError("InternalFailure"))
    publisher.register(SECOND)
    publisher.register()
    publisher.register("another")
    publisher.active(1)
    changes = publisher.changes()

    assert publisher.handle(changes) == [1]

    # Nothing that must come after it was put.
    assert [detail["registration"]["LicenseArn"] for detail in publisher.bus.details] == [SECOND, "another"]
    line = next(line for line in publisher.lines if line["outcome"] != "published")
    assert (line["outcome"], line["reason"], line["attempts"]) == ("event_bus_unavailable", "InternalFailure", ATTEMPTS)
    assert line["levelname"] == "WARNING"
    assert publisher.handle(changes[1:]) == []
    assert publisher.bus.kinds[-2:] == ["Buyer Registered", "Subscription Ready"]


def test_a_repeat_has_the_same_id_and_another_event_has_another(publisher: Publisher) -> None:
    publisher.active(1)
    publisher.register()
    changes = publisher.changes()
    for _ in range(2):
        publisher.handle(changes)

    ids = [detail["id"] for detail in publisher.bus.details]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_a_call_that_fails_altogether_is_left_to_the_stream(publisher: Publisher) -> None:
    def fail(_: object) -> list[PublisherError | None]:
        raise EventBusUnavailableError("ConnectTimeoutError")

    publisher.bus.put = fail  # type: ignore[method-assign,assignment] # the failure

    assert publisher.handle(many(publisher, 12)) == [0]

    assert publisher.slept == []
    assert {line["reason"] for line in publisher.lines} == {"ConnectTimeoutError"}


def test_a_failed_read_stops_the_batch_there(publisher: Publisher) -> None:
    publisher.register(SECOND)
    publisher.active(1)
    publisher.register()
    changes = publisher.changes()
    publisher.table.fail_at = "read"

    assert publisher.handle(changes) == [1]

    assert publisher.bus.kinds == ["Buyer Registered"]
    assert [line["outcome"] for line in publisher.lines] == ["store_unavailable", "published"]


def test_a_record_that_cannot_be_read_stops_the_batch_there(publisher: Publisher) -> None:
    publisher.register()
    (change,) = publisher.changes()
    record = record_of(change)
    del record["dynamodb"]["Keys"]

    assert len(publisher.handle_record(record)) == 1

    (line,) = publisher.lines
    assert (line["outcome"], line["levelname"]) == ("unexpected_error", "ERROR")
    assert line["reason"].startswith("KeyError in stream_record.py:")


def test_a_line_has_only_the_fields_that_it_is_said_to_have(publisher: Publisher) -> None:
    usual = vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime", "taskName"}
    publisher.bus.decide = Failing(SECOND, ATTEMPTS, EventBusThrottledError("ThrottlingException"))
    publisher.register(AgreementId="agmt-1")
    publisher.register(SECOND)

    publisher.handle(publisher.changes())

    assert {name for line in publisher.lines for name in line} - usual == {*FIELDS}
    assert {line["outcome"] for line in publisher.lines} == {"published", "event_bus_throttled"} <= {*OUTCOMES}
