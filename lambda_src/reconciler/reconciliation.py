"""The rules of a run: what is compared, in which order, and until when. Nothing here knows AWS's APIs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.comparison import (
    PROVISIONED,
    License,
    ended_license,
    has_long_ended,
    is_in_flight,
    is_registered,
    item_of,
    missed_agreement,
    missed_entitlements,
    missed_license,
    product_of,
    recorded_at,
)
from reconciler.log_line import COUNTS, FindingLine, RunLine
from reconciler.position import STEPS, Position
from reconciler.times import parse, text
from sdk.items import is_active
from sdk.logs import where
from sdk.registrations import DEPROVISIONED, PARTITION_KEY, SORT_KEY
from subscriptions.errors import SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from reconciler.comparison import Agreement
    from reconciler.errors import AgreementMalformedError
    from reconciler.log_line import Finding, Outcome
    from reconciler.pace import Pace
    from sdk.registrations import Item
    from subscriptions.rules import AgreementEvent, Entitlements, LicenseEvent, ProductCodes, Subscriptions

    Subject = Mapping[str, str | None]

_DAY = timedelta(hours=25)

_OVERLAP = timedelta(hours=1)

RESERVE_SECONDS = 90
"""How long a comparison may take, whatever AWS does: a few calls, each with its retries."""

_SAAS = "SaaSProduct"

_MISSED: Mapping[str, Finding] = {
    "license_updated": "license_missed",
    "license_deprovisioned": "license_missed",
    "event_stale": "event_stale",
}
"""The outcome of recording to what it means for a run, if that is always the same."""

_COUNTED = {
    "license_missed": "missed",
    "agreement_missed": "missed",
    "buyer_lost": "buyers_lost",
}


class Agreements(Protocol):
    """Where agreements are asked for; each may raise one of the Marketplace errors."""

    def updated(self, after: str) -> Iterator[Agreement | AgreementMalformedError]:
        """Yield the agreements that changed after a time, in the order of their last change."""

    def started(self, after: str, before: str) -> Iterator[Agreement | AgreementMalformedError]:
        """Yield the agreements that start between two times, in their order."""

    def chain(self, initial_agreement_id: str) -> list[Agreement]:
        """Return the agreements that continue one another."""

    def with_license(self, license_arn: str) -> list[Agreement]:
        """Return the agreements that have or had the license."""

    def licenses(self, agreement_id: str) -> list[License]:
        """Return an agreement's licenses with their status."""


class Table(Protocol):
    """The registrations table; each may raise TableUnavailableError."""

    def read(self, account: str) -> list[Item]:
        """Return the items of a buyer's partition."""

    def scan(self, after: Mapping[str, str]) -> tuple[list[Item], Mapping[str, str]]:
        """Return the active licenses and the agreements of a page, and the key after which the next one begins."""


class Records(NamedTuple):
    """What earlier runs left.

    Attributes:
        position: where an unfinished run goes on, or None.
        finished: when the last finished run began, or None if there was none.
        product_codes: product ID to product code.
    """

    position: Position | None
    finished: str | None
    product_codes: dict[str, str]


class RecordStore(Protocol):
    """Where runs leave records; each may raise TableUnavailableError."""

    def read(self) -> Records:
        """Return what earlier runs left."""

    def write(self, position: Position | None, finished: str | None) -> None:
        """Store where an unfinished run goes on, and when the last finished one began."""


@dataclass
class _Run:
    position: Position
    product_codes: dict[str, str]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    unknown_products: set[str] = field(default_factory=set)
    at_end: bool = False

    def report(self, finding: Finding, subject: Subject, reason: str | None = None) -> None:
        if finding in _COUNTED:
            self.counts[_COUNTED[finding]] += 1
        FindingLine(run=self.position.run, outcome=finding, subject=subject, reason=reason).write()

    def fail(self, finding: Finding, subject: Subject, reason: str) -> None:
        self.counts["failed"] += 1
        self.position = replace(self.position, failed=self.position.failed + 1)
        self.report(finding, subject, reason)


class _Check(NamedTuple):
    """One comparison, and what it is about."""

    subject: Subject
    compare: Callable[[_Run], None]


class Reconciliation:
    """Compares what is recorded with AWS Marketplace's agreements, and records what an event missed.

    Args:
        agreements: where agreements are asked for.
        entitlements: where entitlements are asked for.
        table: the registrations table.
        records: where runs leave records.
        subscriptions: the rules of recording.
        product_codes: keeps the product code of each product ID.
        products: the product codes whose agreements are compared.
        lost_buyer_delay: how long a license is active before its buyer is lost.
        pace: of the calls to Marketplace.
        now: the time.
    """

    def __init__(
        self,
        *,
        agreements: Agreements,
        entitlements: Entitlements,
        table: Table,
        records: RecordStore,
        subscriptions: Subscriptions,
        product_codes: ProductCodes,
        products: AbstractSet[str],
        lost_buyer_delay: timedelta,
        pace: Pace,
        now: Callable[[], datetime],
    ) -> None:
        self._agreements = agreements
        self._entitlements = entitlements
        self._table = table
        self._records = records
        self._subscriptions = subscriptions
        self._product_codes = product_codes
        self._products = products
        self._lost_buyer_delay = lost_buyer_delay
        self._pace = pace
        self._now = now

    def hourly(self, line: RunLine, *, seller: str, remaining: Callable[[], float]) -> None:
        """Go on with the unfinished run, or begin one, and keep how far it came.

        Args:
            line: receives the result.
            seller: the account that publishes the products.
            remaining: the seconds that are left.

        Raises:
            TableUnavailableError: the records of earlier runs cannot be read or written.
        """
        records = self._records.read()
        now = self._now()
        # A lost buyer is reported for a day.
        since = now - _DAY - self._lost_buyer_delay
        position = records.position or Position.first(
            "hourly" if records.finished else "first",
            since=min(since, parse(records.finished) - _OVERLAP) if records.finished else since,
            began=now,
        )
        left = self._run(line, position, records.product_codes, seller=seller, remaining=remaining)
        self._records.write(left, position.began if line.outcome == "finished" else records.finished)

    def backfill(
        self, line: RunLine, position: Position, *, seller: str, remaining: Callable[[], float]
    ) -> Position | None:
        """Go on from a position that the caller keeps, and return how far it came, or None at the end."""
        product_codes = self._records.read().product_codes
        return self._run(line, position, product_codes, seller=seller, remaining=remaining)

    def name_products(self, product_codes: Mapping[str, str]) -> None:
        """Record product codes that no event has named yet.

        Args:
            product_codes: product ID to product code.
        """
        for product_id, product_code in product_codes.items():
            self._product_codes.record(product_id, product_code)

    def _run(
        self,
        line: RunLine,
        position: Position,
        product_codes: dict[str, str],
        *,
        seller: str,
        remaining: Callable[[], float],
    ) -> Position | None:
        run = _Run(position, product_codes)
        self._pace.reset()
        line.run, line.since = position.run, position.since
        line.counts, line.calls, line.milliseconds = run.counts, self._pace.calls, self._pace.milliseconds
        line.outcome = self._compare(run, seller, remaining)
        return None if run.at_end else run.position

    def _compare(self, run: _Run, seller: str, remaining: Callable[[], float]) -> Outcome:
        for step in STEPS[STEPS.index(run.position.step) :]:
            run.position = run.position.at(step)
            try:
                for check in self._checks(run, seller):
                    if remaining() < RESERVE_SECONDS:
                        return "unfinished"
                    self._attempt(check, run)
            except SubscriptionError as error:
                # Not of one agreement: the search itself failed.
                run.fail(error.outcome, {}, error.reason)
                return "incomplete"
        run.at_end = True
        return "incomplete" if run.position.failed else "finished"

    def _checks(self, run: _Run, seller: str) -> Iterator[_Check]:
        """Yield the comparisons of a step, and note before each where the run would go on."""
        if run.position.step == "known":
            yield from self._checks_of_known(run, seller)
            return
        of_changed, since, now = run.position.step == "updated", run.position.since, self._now()
        # A second earlier, as several agreements may have the same one.
        after = text(parse(run.position.after or since) - timedelta(seconds=1))
        found = self._agreements.updated(after) if of_changed else self._agreements.started(after, text(now))
        for agreement in found:
            if isinstance(agreement, SubscriptionError):
                yield _Check({}, partial(_fail, agreement))
                continue
            at = agreement.updated_at if of_changed else agreement.starts_at
            run.position = replace(run.position, after=max(run.position.after, at))
            # What starts and has changed too was compared in the step before.
            if not is_in_flight(at, now) and (of_changed or agreement.updated_at < since):
                yield _Check(_subject(agreement), partial(self._check_agreement, agreement))

    def _checks_of_known(self, run: _Run, seller: str) -> Iterator[_Check]:
        while True:
            items, key = self._table.scan(run.position.key)
            proposers = {
                (item[PARTITION_KEY], item[SORT_KEY]): item.get("ProposerAccountId")
                for item in items
                if not is_active(item)
            }
            for item in filter(is_active, items):
                agreement = item[PARTITION_KEY], f"#{item.get('LicenseAgreementId')}"
                if proposers.get(agreement) != seller and item["ProductCode"] in self._products:
                    yield _Check(_subject_of(item), partial(self._check_known, item, seller))
            if not key:
                return
            run.position = replace(run.position, key=key)

    def _attempt(self, check: _Check, run: _Run) -> None:
        try:
            check.compare(run)
        except SubscriptionError as error:
            run.fail(error.outcome, check.subject, error.reason)
        except Exception as error:  # noqa: BLE001 - a defect must not hide what else was missed; the line reports it
            run.fail("unexpected_error", check.subject, where(error))

    def _check_agreement(self, agreement: Agreement, run: _Run) -> None:
        run.counts["agreements"] += 1
        partition = self._table.read(agreement.account)
        self._learn(agreement, partition, run)
        for product_id, kind in agreement.products.items():
            if kind == _SAAS and product_id not in run.product_codes:
                run.unknown_products.add(product_id)
                run.counts["products_unknown"] = len(run.unknown_products)
                run.report("product_unknown", {**_subject(agreement), "ProductId": product_id})
        if not self._products & {run.product_codes.get(product_id) for product_id in agreement.products}:
            return
        self._check_terms(agreement, partition, run)
        named = [item for item in partition if item.get("LicenseAgreementId") == agreement.agreement_id]
        ended = {item["LicenseArn"] for item in named if item["LicenseStatus"] == DEPROVISIONED}
        arns = {*agreement.license_arns, *(item["LicenseArn"] for item in named)}
        if not agreement.is_active and arns <= ended:
            return
        licenses = self._agreements.licenses(agreement.agreement_id)
        if has_long_ended(agreement, self._now()):
            # Whether Marketplace lists the licenses of an ended agreement is not documented.
            unlisted = sorted(arns - {each.license_arn for each in licenses})
            licenses += [License(license_arn=arn, product_id=None, status=DEPROVISIONED) for arn in unlisted]
        for each in licenses:
            self._check_license(agreement, each, partition, run)

    def _learn(self, agreement: Agreement, partition: Iterable[Item], run: _Run) -> None:
        """Learn the product's code from a buyer who registered with a license of the agreement."""
        for item in partition:
            if len(agreement.products) == 1 and item.get("LicenseArn") in agreement.license_arns:
                (product_id,) = agreement.products
                if product_id not in run.product_codes:
                    self._product_codes.record(product_id, item["ProductCode"])
                    run.product_codes[product_id] = item["ProductCode"]

    def _check_terms(self, agreement: Agreement, partition: Iterable[Item], run: _Run) -> None:
        item = item_of(agreement.agreement_id, partition)
        if any(is_in_flight(at, self._now()) for at in recorded_at(item)):
            return
        chain: list[Agreement] = []
        if agreement.is_continuation and "AgreementTermsAt" not in item:
            chain = self._agreements.chain(str(agreement.initial_agreement_id))
        event = missed_agreement(agreement, item, chain)
        if event is None:
            return
        # No event may have told it: some renewals only move the end.
        only_terms = "AgreementTermsAt" in item and item.get("AgreementStatus") == agreement.status
        self._record(event, run, recorded="terms_updated" if only_terms else "agreement_missed")

    def _check_license(self, agreement: Agreement, license_: License, partition: Sequence[Item], run: _Run) -> None:
        item: Item = next((each for each in partition if each.get("LicenseArn") == license_.license_arn), {})
        product_id = product_of(agreement, license_)
        product_code = item["ProductCode"] if item else run.product_codes.get(product_id or "")
        if product_code is None or product_code not in self._products:
            return
        if is_in_flight(item.get("LicenseStatusAt"), self._now()):
            return
        run.counts["licenses"] += 1
        if license_.status == DEPROVISIONED:
            self._check_end(agreement, license_, item, product_code, run)
        elif license_.status == PROVISIONED and agreement.is_active:
            event = missed_license(agreement, license_, item, product_code=product_code)
            if event:
                self._record(event, run)
                active_since = event.at
            else:
                self._check_entitlements(item, run)
                active_since = item["LicenseStatusAt"]
            self._check_registered(
                f"{product_code}#{license_.license_arn}",
                active_since,
                partition,
                {
                    **_subject(agreement),
                    "LicenseArn": license_.license_arn,
                    "ProductCode": product_code,
                    "ProductId": product_id,
                },
                run,
            )

    def _check_end(self, agreement: Agreement, license_: License, item: Item, product_code: str, run: _Run) -> None:
        """Record the end of a license, unless it goes on with the agreement that continues this one."""
        agreements = [agreement, *self._agreements.with_license(license_.license_arn)]
        if any(each.is_active for each in agreements):
            return
        last = max(agreements, key=lambda each: each.accepted_at)
        if event := ended_license(last, license_, item, product_code=product_code):
            self._record(event, run)

    def _check_known(self, item: Item, seller: str, run: _Run) -> None:
        at = item["LicenseStatusAt"]
        if is_in_flight(at, self._now()):
            return
        partition = self._table.read(item[PARTITION_KEY])
        agreement = item_of(item.get("LicenseAgreementId"), partition)
        # It may stand on another page of the scan than its license.
        if agreement.get("ProposerAccountId") == seller:
            return
        run.counts["licenses"] += 1
        self._check_entitlements(item, run)
        if at > run.position.since:
            self._check_registered(item[SORT_KEY], at, partition, _subject_of(item), run)

    def _check_entitlements(self, item: Item, run: _Run) -> None:
        entitlements = self._entitlements.of_license(item["ProductCode"], item["LicenseArn"])
        if event := missed_entitlements(item, entitlements):
            self._record(event, run)

    def _check_registered(
        self, sort_key: str, active_since: str, partition: Iterable[Item], subject: Subject, run: _Run
    ) -> None:
        if parse(active_since) <= self._now() - self._lost_buyer_delay and not is_registered(sort_key, partition):
            run.report("buyer_lost", subject)

    def _record(
        self, event: LicenseEvent | AgreementEvent, run: _Run, *, recorded: Finding = "agreement_missed"
    ) -> None:
        line = FindingLine(run=run.position.run)
        self._subscriptions.apply(event, line)
        run.report(_MISSED.get(str(line.outcome), recorded), line.subject)


def _fail(error: SubscriptionError, _run: _Run) -> None:
    raise error


def _subject(agreement: Agreement) -> Subject:
    return {PARTITION_KEY: agreement.account, "AgreementId": agreement.agreement_id}


def _subject_of(item: Item) -> Subject:
    names = (PARTITION_KEY, "ProductCode", "ProductId", "LicenseArn")
    return {**{name: item.get(name) for name in names}, "AgreementId": item.get("LicenseAgreementId")}
