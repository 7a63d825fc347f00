"""The Agreement API of the Marketplace stand-in, as a seller's code calls it with boto3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from hypothesis import given, settings
from hypothesis import strategies as st

from constructs_lib.testing import (
    AgreementOperation,
    AgreementService,
    MarketplaceContact,
    MarketplaceCustomer,
    MarketplaceStandIn,
    MovableClock,
)
from constructs_lib.testing._quota import Quota
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Event = dict[str, Any]

NOW = datetime(2026, 8, 20, 14, 23, 11, tzinfo=UTC)
SELLER, RESELLER = "444455556666", "777788889999"
SESSION = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="test")
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/aws-marketplace/aws4_request"
SIGNED = f"{CREDENTIAL}, SignedHeaders=host, Signature={'0' * 64}"
PROPOSER = {"PartyType": "Proposer", "AgreementType": "PurchaseAgreement"}
ACCEPTOR = {**PROPOSER, "PartyType": "Acceptor"}
CONTACT = MarketplaceContact(
    first_name="Ada",
    last_name="Lovelace",
    email_address="ada@example.com",
    company_name="Engines",
    country_code="GB",
)
Status = tuple[str, str | None]
ACTIVE: Status = "PROVISIONED", None
INACTIVE: Status = "DEPROVISIONED", "AGREEMENT_INACTIVE"
PENDING: Status = "PENDING", "PROVISIONING_IN_PROGRESS"
SCHEDULED: Status = "SCHEDULED", "FUTURE_START_DATE"


def make_client(stand_in: MarketplaceStandIn, *, region: str = "us-east-1", attempts: int = 1) -> Any:
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return SESSION.client(
        "marketplace-agreement", region_name=region, endpoint_url=stand_in.endpoint_url, config=config
    )


def request(filters: dict[str, str] | None = None, **members: Any) -> dict[str, Any]:
    named = (PROPOSER if filters is None else filters).items()
    listed = [{"name": name, "values": [value]} for name, value in named]
    return {"catalog": "AWSMarketplace", "filters": listed, **members}


def search(client: Any, filters: dict[str, str] | None = None, **members: Any) -> list[dict[str, Any]]:
    pages = client.get_paginator("search_agreements").paginate(**request(filters, **members))
    return [summary for page in pages for summary in page["agreementViewSummaries"]]


def ids(summaries: list[dict[str, Any]]) -> list[str]:
    return [summary["agreementId"] for summary in summaries]


def of(client: Any, operation: str, agreement_id: str | None) -> dict[str, Any]:
    response = getattr(client, operation)(agreementId=agreement_id)
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def entitlement(client: Any, agreement_id: str | None) -> dict[str, Any]:
    (only,) = of(client, "get_agreement_entitlements", agreement_id)["agreementEntitlements"]
    return dict(only)


def status(client: Any, agreement_id: str | None) -> Status:
    found = entitlement(client, agreement_id)
    return found["status"], found.get("statusReasonCode")


def error(call: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(ClientError) as raised:
        call()
    response: dict[str, Any] = {**raised.value.response}
    return {
        "code": response["Error"]["Code"],
        "status": response["ResponseMetadata"]["HTTPStatusCode"],
        **{name: response[name] for name in ("reason", "resourceId", "resourceType") if name in response},
    }


def rejected(client: Any, filters: dict[str, str] | None = None, **members: Any) -> str:
    found = error(lambda: client.search_agreements(**request(filters, **members)))
    assert (found["code"], found["status"]) == ("ValidationException", 400)
    return str(found["reason"])


def post(
    stand_in: MarketplaceStandIn,
    body: object,
    *,
    operation: str = "SearchAgreements",
    authorization: str | None = SIGNED,
) -> tuple[int, str]:
    headers = {
        "X-Amz-Target": f"AWSMPCommerceService_v20200301.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        **({"Authorization": authorization} if authorization else {}),
    }
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = requests.post(stand_in.endpoint_url, data=data, headers=headers, timeout=10)
    assert response.headers["Content-Type"] == "application/x-amz-json-1.0"
    return response.status_code, response.json().get("__type", "OK")


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def stand_in() -> Iterator[MarketplaceStandIn]:
    with MarketplaceStandIn(clock=MovableClock(lambda: NOW)) as running:
        yield running


@pytest.fixture
def client(stand_in: MarketplaceStandIn) -> Iterator[Any]:
    with closing(make_client(stand_in)) as made:
        yield made


@pytest.fixture
def customer() -> MarketplaceCustomer:
    return MarketplaceCustomer.licensed(PRODUCT_CODE)


def test_a_summary_has_the_terms_of_the_events(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    created, updated = stand_in.subscribe(customer, entitlements={"users": 1}, contact=CONTACT)

    (summary,) = search(client)

    terms = created["detail"]["agreement"]
    assert summary == {
        "agreementId": terms["id"],
        "acceptanceTime": datetime.fromisoformat(terms["acceptanceTime"]),
        "startTime": datetime.fromisoformat(terms["startTime"]),
        "endTime": datetime.fromisoformat(terms["endTime"]),
        "lastUpdateTime": NOW,
        "agreementType": "PurchaseAgreement",
        "acceptor": created["detail"]["acceptor"],
        "proposer": created["detail"]["proposer"],
        "proposalSummary": {
            "resources": [{"id": updated["detail"]["product"]["id"], "type": "SaaSProduct"}],
            "offerId": created["detail"]["offer"]["id"],
        },
        "status": terms["status"],
        "entitlements": [{"licenseArn": updated["detail"]["license"]["arn"]}],
        "initialAgreementId": terms["id"],
        "endTimeBehaviorType": "RENEW",
        "includesContactOfType": ["ACCEPTOR"],
    }


def test_a_description_has_the_terms_of_the_summary(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1})

    (summary,) = search(client)
    described = of(client, "describe_agreement", customer.agreement_id)

    behavior = described.pop("endTimeBehavior")
    assert behavior == {"type": "RENEW", "renewalSummary": {"offerId": summary["proposalSummary"]["offerId"]}}
    assert described == {
        name: value
        for name, value in summary.items()
        if name not in {"lastUpdateTime", "entitlements", "endTimeBehaviorType", "includesContactOfType"}
    }


def test_an_agreement_that_never_ends_has_no_end(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)

    (summary,) = search(client)
    described = of(client, "describe_agreement", customer.agreement_id)

    assert {"endTime", "endTimeBehaviorType", "freeTrialEndTime"}.isdisjoint(summary)
    assert {"endTime", "endTimeBehavior", "freeTrialSummary"}.isdisjoint(described)
    assert summary["includesContactOfType"] == []


def test_a_license_is_provisioned_when_its_event_says_so(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    _, updated = stand_in.subscribe(customer)

    before = entitlement(client, customer.agreement_id)
    stand_in.clock.advance(timedelta(seconds=71))
    assert entitlement(client, customer.agreement_id) == before
    stand_in.clock.advance(timedelta(seconds=1))
    after = entitlement(client, customer.agreement_id)

    assert stand_in.clock() == datetime.fromisoformat(updated["time"])
    assert before == {
        "resource": {"id": updated["detail"]["product"]["id"], "type": "SaaSProduct"},
        "status": "PENDING",
        "statusReasonCode": "PROVISIONING_IN_PROGRESS",
        "licenseArn": customer.license_arn,
    }
    assert after == {"resource": before["resource"], "status": "PROVISIONED", "licenseArn": customer.license_arn}


@pytest.mark.parametrize("ended", ["CANCELLED", "EXPIRED", "TERMINATED"])
def test_a_license_is_deprovisioned_when_its_event_says_so(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, ended: Any
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1}, contact=CONTACT)
    stand_in.clock.advance(timedelta(days=1))

    stand_in.cancel(customer, status=ended)

    (summary,) = search(client)
    assert (summary["status"], summary["lastUpdateTime"]) == (ended, NOW + timedelta(days=1))
    assert summary["includesContactOfType"] == []
    assert "endTimeBehaviorType" not in summary
    assert "endTimeBehavior" not in of(client, "describe_agreement", customer.agreement_id)
    stand_in.clock.advance(timedelta(seconds=30))
    assert status(client, customer.agreement_id) == ACTIVE
    stand_in.clock.advance(timedelta(seconds=1))
    assert status(client, customer.agreement_id) == INACTIVE


def test_a_change_updates_the_agreement(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1})
    stand_in.clock.advance(timedelta(days=1))
    (before,) = search(client)

    stand_in.change(customer, entitlements={"users": 2})

    assert search(client) == [{**before, "lastUpdateTime": NOW + timedelta(days=1)}]
    assert status(client, customer.agreement_id) == ACTIVE


def test_a_renewal_without_a_new_agreement_moves_the_end(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1})
    stand_in.clock.advance(timedelta(days=364))
    (before,) = search(client)

    stand_in.renew(customer, new_agreement=False)

    end = {"endTime": NOW + timedelta(days=730), "lastUpdateTime": NOW + timedelta(days=364)}
    assert search(client) == [{**before, **end}]


@pytest.mark.parametrize(
    ("step", "ended"),
    [
        (MarketplaceStandIn.renew, "RENEWED"),
        (partial(MarketplaceStandIn.change, entitlements={"users": 2}, new_agreement=True), "REPLACED"),
    ],
)
def test_an_agreement_that_is_continued_stays_known(
    stand_in: MarketplaceStandIn,
    client: Any,
    customer: MarketplaceCustomer,
    step: Callable[[MarketplaceStandIn, MarketplaceCustomer], list[Event]],
    ended: str,
) -> None:
    stand_in.subscribe(customer, entitlements={"users": 1}, contact=CONTACT)
    stand_in.clock.advance(timedelta(days=1))
    step(stand_in, customer)
    stand_in.clock.advance(timedelta(minutes=5))
    step(stand_in, customer)

    now = stand_in.current(customer)
    found = search(client, sort={"sortBy": "LastUpdateTime"})

    assert [summary["status"] for summary in found] == [ended, ended, "ACTIVE"]
    assert ids(found)[0] == customer.agreement_id
    assert ids(found)[2] == now.agreement_id
    assert {summary["initialAgreementId"] for summary in found} == {customer.agreement_id}
    assert [summary["includesContactOfType"] for summary in found] == [[], [], ["ACCEPTOR"]]
    later = NOW + timedelta(days=1, minutes=5)
    assert [summary["lastUpdateTime"] for summary in found] == [NOW + timedelta(days=1), later, later]
    assert [status(client, each) for each in ids(found)] == [ACTIVE, ACTIVE, PENDING]
    stand_in.agreements.show_continued("DEPROVISIONED")
    assert [status(client, each) for each in ids(found)] == [INACTIVE, INACTIVE, PENDING]


def test_a_new_license_replaces_the_old_one(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    stand_in.clock.advance(timedelta(days=1))

    *_, deprovisioned = stand_in.renew(customer, new_license=True)

    now = stand_in.current(customer).agreement_id
    assert [status(client, each) for each in (customer.agreement_id, now)] == [ACTIVE, PENDING]
    stand_in.clock.advance(datetime.fromisoformat(deprovisioned["time"]) - stand_in.clock())
    assert [status(client, each) for each in (customer.agreement_id, now)] == [INACTIVE, ACTIVE]


def test_the_end_of_a_license_is_the_end_for_every_agreement_that_had_it(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    stand_in.renew(customer)
    stand_in.cancel(customer)
    stand_in.clock.advance(timedelta(days=1))

    assert [status(client, each) for each in ids(search(client))] == [INACTIVE, INACTIVE]

    stand_in.resubscribe(customer)
    stand_in.clock.advance(timedelta(days=1))

    found = search(client, sort={"sortBy": "StartTime"})
    assert [status(client, each) for each in ids(found)] == [INACTIVE, INACTIVE, ACTIVE]
    assert [summary["initialAgreementId"] for summary in found] == [
        customer.agreement_id,
        customer.agreement_id,
        ids(found)[2],
    ]
    assert len({str(summary["entitlements"]) for summary in found}) == 1
    licensed = {**PROPOSER, "LicenseArn": str(customer.license_arn)}
    assert ids(search(client, {**licensed, "Status": "ACTIVE"})) == [ids(found)[2]]


def test_an_agreement_dated_ahead_is_licensed_at_its_start(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    starts = NOW + timedelta(days=30, microseconds=999_999)

    created, updated = stand_in.subscribe(customer, entitlements={"users": 1}, starts=starts)

    terms = created["detail"]["agreement"]
    assert (created["time"], updated["time"]) == (text(NOW + timedelta(seconds=11)), text(starts))
    assert (terms["acceptanceTime"], terms["startTime"]) == (text(NOW), text(starts))
    assert terms["endTime"] == text(starts + timedelta(days=365))
    (summary,) = search(client)
    assert (summary["status"], summary["lastUpdateTime"], summary["entitlements"]) == ("ACTIVE", NOW, [])
    assert summary["startTime"] == starts.replace(microsecond=0)
    assert status(client, customer.agreement_id) == SCHEDULED
    assert "licenseArn" not in entitlement(client, customer.agreement_id)
    assert search(client, {**PROPOSER, "LicenseArn": str(customer.license_arn)}) == []

    stand_in.clock.advance(timedelta(days=30))

    assert status(client, customer.agreement_id) == ACTIVE
    (started,) = search(client, {**PROPOSER, "LicenseArn": str(customer.license_arn)})
    assert started == {**summary, "entitlements": [{"licenseArn": customer.license_arn}]}


def test_an_agreement_dated_ahead_has_entitlements_from_its_start(
    stand_in: MarketplaceStandIn, customer: MarketplaceCustomer
) -> None:
    entitlements = SESSION.client(
        "marketplace-entitlement", region_name="us-east-1", endpoint_url=stand_in.endpoint_url
    )
    stand_in.subscribe(customer, entitlements={"users": 1}, starts=NOW + timedelta(days=30))

    assert entitlements.get_entitlements(ProductCode=PRODUCT_CODE)["Entitlements"] == []
    stand_in.clock.advance(timedelta(days=30))
    assert len(entitlements.get_entitlements(ProductCode=PRODUCT_CODE)["Entitlements"]) == 1


def test_an_agreement_that_starts_at_once_is_pending_like_any_other(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    _, updated = stand_in.subscribe(customer, starts=NOW + timedelta(seconds=20))

    stand_in.clock.advance(timedelta(seconds=20))

    assert updated["time"] == text(NOW + timedelta(seconds=72))
    assert status(client, customer.agreement_id) == PENDING


def test_no_agreement_starts_in_the_past(stand_in: MarketplaceStandIn, customer: MarketplaceCustomer) -> None:
    with pytest.raises(ValueError, match="starts must not be in the past, got 2026-08-20T14:23:10"):
        stand_in.subscribe(customer, starts=NOW - timedelta(seconds=1))


def test_a_contact_is_told_while_the_agreement_is_active(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    silent = MarketplaceCustomer.licensed(PRODUCT_CODE)
    stand_in.subscribe(customer, contact=CONTACT)
    stand_in.subscribe(silent)

    assert of(client, "get_agreement_contacts", customer.agreement_id) == {
        "acceptorContact": {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "emailAddress": "ada@example.com",
            "companyName": "Engines",
            "countryCode": "GB",
        }
    }
    assert of(client, "get_agreement_contacts", silent.agreement_id) == {}
    stand_in.cancel(customer)
    assert of(client, "get_agreement_contacts", customer.agreement_id) == {}
    stand_in.resubscribe(customer)
    assert of(client, "get_agreement_contacts", stand_in.current(customer).agreement_id) != {}


# The CLI's options are botocore's members, as this makes them.
CLI = f"""#!{sys.executable}
import json, sys
import boto3
from botocore import xform_name

service, operation, *rest = sys.argv[1:]
options = dict(zip(rest[::2], rest[1::2]))
client = boto3.client(service, region_name=options.pop("--region"))
assert options.pop("--output") == "json"
method = operation.replace("-", "_")
members = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape.members
names = {{"--" + xform_name(name, "-"): name for name in members}}
response = getattr(client, method)(**{{names[option]: value for option, value in options.items()}})
del response["ResponseMetadata"]
print(json.dumps(response) if response else "")
"""


@pytest.fixture
def contact(stand_in: MarketplaceStandIn, tmp_path: Path) -> Callable[[str | None], subprocess.CompletedProcess[str]]:
    """Return the runbook's function, run in bash with botocore's client in place of the CLI."""
    runbook = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
    functions = runbook.split("```sh\n")[1].split("```")[0]
    (tmp_path / "aws").write_text(CLI, encoding="utf-8")
    (tmp_path / "aws").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": stand_in.endpoint_url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    def run(agreement_id: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "--norc", "-c", f"{functions}\ncontact {agreement_id}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_runbooks_command_shows_a_contact_while_the_agreement_is_active(
    stand_in: MarketplaceStandIn,
    customer: MarketplaceCustomer,
    contact: Callable[[str | None], subprocess.CompletedProcess[str]],
) -> None:
    stand_in.subscribe(customer, contact=CONTACT)

    shown = contact(customer.agreement_id)
    stand_in.cancel(customer)
    ended = contact(customer.agreement_id)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout) == {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "emailAddress": "ada@example.com",
        "companyName": "Engines",
        "countryCode": "GB",
    }
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "no contact: the buyer gave none, or the agreement is not active\n"


def test_the_runbooks_command_does_not_take_an_error_for_a_buyer_without_a_contact(
    contact: Callable[[str | None], subprocess.CompletedProcess[str]],
) -> None:
    unknown = contact("agmt-unknown")

    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "ResourceNotFoundException" in unknown.stderr
    assert "no contact" not in unknown.stderr


def test_a_resold_agreement_is_known_by_its_id_alone(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer, reseller_account_id=RESELLER)

    assert search(client) == search(client, ACCEPTOR) == []
    assert of(client, "describe_agreement", customer.agreement_id)["proposer"] == {"accountId": RESELLER}
    assert status(client, customer.agreement_id) == PENDING


def test_a_seller_who_buys_is_the_acceptor(stand_in: MarketplaceStandIn, client: Any) -> None:
    own = MarketplaceCustomer.licensed(PRODUCT_CODE, customer_aws_account_id=SELLER)
    stand_in.subscribe(own)
    stand_in.subscribe(MarketplaceCustomer.licensed(PRODUCT_CODE))

    assert ids(search(client, ACCEPTOR)) == [own.agreement_id]


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("ResourceIdentifier", lambda one: one["proposalSummary"]["resources"][0]["id"], "prod-other"),
        ("ResourceType", lambda _: "SaaSProduct", "AmiProduct"),
        ("AcceptorAccountId", lambda one: one["acceptor"]["accountId"], "000000000000"),
        ("OfferId", lambda one: one["proposalSummary"]["offerId"], "offer-other"),
        ("Status", lambda _: "ACTIVE", "SUPERSEDED"),
        ("EndTimeBehaviorType", lambda _: "RENEW", "EXPIRE"),
        ("InitialAgreementId", lambda one: one["initialAgreementId"], "agmt-other"),
        ("LicenseArn", lambda one: one["entitlements"][0]["licenseArn"], "arn:aws:license-manager::1:license:l-other"),
        ("IncludesContactOfType", lambda _: "ACCEPTOR", None),
        ("OfferSetId", None, "offerset-other"),
        ("EndTimeBehaviorReasonCode", None, "NO_RENEWAL_TERM"),
    ],
)
def test_a_filter_finds_what_has_its_value(
    stand_in: MarketplaceStandIn,
    client: Any,
    name: str,
    value: Callable[[dict[str, Any]], str] | None,
    other: str | None,
) -> None:
    one, another = MarketplaceCustomer.licensed("one"), MarketplaceCustomer.licensed("another")
    stand_in.subscribe(one, entitlements={"users": 1}, contact=CONTACT)
    stand_in.subscribe(another)
    stand_in.cancel(another)
    summaries = {summary["agreementId"]: summary for summary in search(client)}

    if value:
        found = ids(search(client, {**PROPOSER, name: value(summaries[str(one.agreement_id)])}))
        assert found == [one.agreement_id, *([another.agreement_id] if name == "ResourceType" else [])]
    if other:
        assert search(client, {**PROPOSER, name: other}) == []


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("EndTime", NOW + timedelta(days=400)),
        ("StartTime", NOW + timedelta(days=10)),
        ("LastUpdateTime", NOW),
    ],
)
def test_a_date_itself_is_neither_before_nor_after(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, time: str, at: datetime
) -> None:
    stand_in.subscribe(customer, starts=NOW + timedelta(days=10), ends=NOW + timedelta(days=400))

    found = [
        [len(search(client, {**PROPOSER, f"{when}{time}": text(at + seconds)})) for when in ("Before", "After")]
        for seconds in (timedelta(seconds=-1), timedelta(0), timedelta(seconds=1))
    ]

    assert found == [[0, 1], [0, 0], [1, 0]]


def test_an_agreement_without_an_end_is_after_every_date(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)

    assert len(search(client, {**PROPOSER, "AfterEndTime": "2500-01-01T00:00:00+02:00"})) == 1
    assert search(client, {**PROPOSER, "BeforeEndTime": "2500-01-01T00:00:00+02:00"}) == []


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ({}, [2, 0, 1]),
        ({"sortBy": "EndTime", "sortOrder": "DESCENDING"}, [1, 0, 2]),
        ({"sortOrder": "DESCENDING"}, [1, 0, 2]),
        ({"sortBy": "StartTime"}, [1, 2, 0]),
        ({"sortBy": "LastUpdateTime"}, [0, 2, 1]),
        ({"sortBy": "LastUpdateTime", "sortOrder": "DESCENDING"}, [1, 2, 0]),
    ],
)
@pytest.mark.parametrize("paginated", [False, True])
def test_results_are_sorted(
    stand_in: MarketplaceStandIn, client: Any, sort: dict[str, str], expected: list[int], *, paginated: bool
) -> None:
    buyers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(3)]
    stand_in.subscribe(buyers[0], starts=NOW + timedelta(days=9), ends=NOW + timedelta(days=30))
    stand_in.subscribe(buyers[1], ends=NOW + timedelta(days=40))
    stand_in.clock.advance(timedelta(days=1))
    stand_in.subscribe(buyers[2], ends=NOW + timedelta(days=20))
    stand_in.clock.advance(timedelta(days=1))
    stand_in.change(buyers[1], entitlements={})
    if paginated:
        stand_in.agreements.paginate(1)

    assert ids(search(client, sort=sort)) == [buyers[number].agreement_id for number in expected]


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("empty_pages", [False, True])
@given(
    accepted=st.lists(st.integers(0, 3), max_size=7),
    max_results=st.none() | st.integers(1, 50),
    at_most=st.integers(1, 60),
)
@settings(max_examples=15, deadline=None)
def test_pages_together_have_each_agreement_once(
    order: str, accepted: list[int], max_results: int | None, at_most: int, *, empty_pages: bool
) -> None:
    with MarketplaceStandIn(clock=MovableClock(lambda: NOW)) as stand_in, closing(make_client(stand_in)) as client:
        buyers = []
        for seconds in accepted:
            stand_in.clock.advance(timedelta(seconds=seconds))
            buyers.append(MarketplaceCustomer.licensed(PRODUCT_CODE))
            stand_in.subscribe(buyers[-1])
        stand_in.agreements.paginate(at_most, empty_pages=empty_pages)
        asked = request(sort={"sortBy": "LastUpdateTime", "sortOrder": order})
        asked |= {"maxResults": max_results} if max_results else {}

        pages = [client.search_agreements(**asked)]
        while token := pages[-1].get("nextToken"):
            pages.append(client.search_agreements(**asked, nextToken=token))

    found = [ids(page["agreementViewSummaries"]) for page in pages]
    expected = [buyer.agreement_id for buyer in buyers]
    assert list(chain.from_iterable(found)) == (expected if order == "ASCENDING" else expected[::-1])
    size = min(max_results or 50, at_most)
    full = [len(page) for page in found]
    if empty_pages:
        assert set(full[::2]) == {0}
        full = full[1::2]
    assert full[:-1] == [size] * (len(full) - 1)
    assert len(full) == max(1, -(-len(buyers) // size))


def test_pages_have_50_agreements_at_most(stand_in: MarketplaceStandIn, client: Any) -> None:
    for _ in range(51):
        stand_in.subscribe(MarketplaceCustomer.licensed(PRODUCT_CODE))

    assert len(client.search_agreements(**request())["agreementViewSummaries"]) == 50
    assert len(search(client)) == 51


def test_a_page_has_the_state_at_its_time(stand_in: MarketplaceStandIn, client: Any) -> None:
    buyers = [MarketplaceCustomer.licensed(PRODUCT_CODE) for _ in range(3)]
    for buyer in buyers:
        stand_in.subscribe(buyer)
        stand_in.clock.advance(timedelta(hours=1))
    stand_in.agreements.paginate(2, empty_pages=False)
    asked = request(sort={"sortBy": "LastUpdateTime"})

    first = client.search_agreements(**asked)
    stand_in.cancel(buyers[0])
    rest = client.search_agreements(**asked, nextToken=first["nextToken"])

    assert [summary["status"] for summary in first["agreementViewSummaries"]] == ["ACTIVE", "ACTIVE"]
    assert [(summary["agreementId"], summary["status"]) for summary in rest["agreementViewSummaries"]] == [
        (buyers[2].agreement_id, "ACTIVE"),
        (buyers[0].agreement_id, "CANCELLED"),
    ]


def test_a_token_continues_its_own_request_only(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    stand_in.agreements.paginate(1)
    token = client.search_agreements(**request())["nextToken"]

    assert len(client.search_agreements(**request(), nextToken=token)["agreementViewSummaries"]) == 1
    assert rejected(client, nextToken="unknown") == "INVALID_NEXT_TOKEN"
    assert rejected(client, {**PROPOSER, "Status": "ACTIVE"}, nextToken=token) == "INVALID_NEXT_TOKEN"
    assert rejected(client, sort={"sortBy": "StartTime"}, nextToken=token) == "INVALID_NEXT_TOKEN"
    asked = {"agreementId": customer.agreement_id, "nextToken": token}
    assert error(lambda: client.get_agreement_entitlements(**asked))["reason"] == "INVALID_NEXT_TOKEN"


def test_entitlements_have_pages_too(stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer) -> None:
    stand_in.subscribe(customer)
    stand_in.agreements.paginate(1)

    pages = list(
        client.get_paginator("get_agreement_entitlements").paginate(
            agreementId=customer.agreement_id, PaginationConfig={"PageSize": 1}
        )
    )

    assert [len(page["agreementEntitlements"]) for page in pages] == [0, 1]


@pytest.mark.parametrize(
    ("filters", "members", "reason"),
    [
        ({"PartyType": "Proposer"}, {}, "INVALID_FILTERS"),
        ({"AgreementType": "PurchaseAgreement"}, {}, "INVALID_FILTERS"),
        ({}, {}, "INVALID_FILTERS"),
        ({**PROPOSER, "AgreementType": "VendorInsightsAgreement"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "PartyType": "Manufacturer"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "Status": "active"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "OfferId": "an offer"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "OfferId": "o" * 257}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "AfterEndTime": "2026-01-01T00:00:00"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "AfterEndTime": "yesterday"}, {}, "INVALID_FILTER_VALUES"),
        ({**PROPOSER, "AfterAcceptanceTime": "2026-01-01T00:00:00Z"}, {}, "INVALID_FILTER_NAME"),
        ({**PROPOSER, "": "x"}, {}, "MISSING_FILTER_NAME"),
        (None, {"filters": [{"name": "Status", "values": []}]}, "MISSING_FILTER_VALUES"),
        (None, {"filters": [{"name": "Status", "values": ["ACTIVE", "EXPIRED"]}]}, "INVALID_FILTER_VALUES"),
        (None, {"filters": [{"name": "Status", "values": ["ACTIVE"]}] * 2}, "INVALID_FILTERS"),
        (None, {"filters": [{"name": "Status", "values": ["ACTIVE"]}] * 11}, "INVALID_FILTERS"),
        (None, {"catalog": "AWS"}, "INVALID_CATALOG"),
        (None, {"catalog": None}, "INVALID_CATALOG"),
        (None, {"sort": {"sortBy": "Status"}}, "INVALID_SORT_BY"),
        (None, {"sort": {"sortOrder": "UP"}}, "INVALID_SORT_ORDER"),
        (None, {"maxResults": 51}, "INVALID_MAX_RESULTS"),
        (None, {"maxResults": 0}, "INVALID_MAX_RESULTS"),
        (ACCEPTOR, {"sort": {"sortBy": "StartTime"}}, "INVALID_SORT_BY"),
        (ACCEPTOR, {"sort": {"sortBy": "LastUpdateTime"}}, "INVALID_SORT_BY"),
        ({**ACCEPTOR, "LicenseArn": "arn"}, {}, "UNSUPPORTED_FILTERS"),
        ({**ACCEPTOR, "OfferId": "offer", "ResourceIdentifier": "prod"}, {}, "UNSUPPORTED_FILTERS"),
    ],
)
def test_a_search_that_aws_does_not_document_is_rejected(
    stand_in: MarketplaceStandIn, filters: dict[str, str] | None, members: dict[str, Any], reason: str
) -> None:
    # The SDK rejects some of them itself.
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client = SESSION.client(
        "marketplace-agreement", region_name="us-east-1", endpoint_url=stand_in.endpoint_url, config=config
    )
    asked = {name: value for name, value in (request(filters) | members).items() if value is not None}

    with pytest.raises(ClientError) as raised:
        client.search_agreements(**asked)

    response: dict[str, Any] = {**raised.value.response}
    assert (response["Error"]["Code"], response["reason"]) == ("ValidationException", reason)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert [sorted(field) for field in response["fields"]] == [["message", "name"]]
    assert response["fields"][0]["name"].partition(".")[0] in {"catalog", "filters", "maxResults", "sort"}


def test_an_acceptor_may_filter_by_end_and_status(client: Any) -> None:
    end = {"AfterEndTime": "2026-01-01T00:00:00Z", "BeforeEndTime": "2027-01-01T00:00:00Z"}

    assert search(client, {**ACCEPTOR, **end, "Status": "ACTIVE", "OfferId": "offer"}, sort={"sortBy": "EndTime"}) == []


@pytest.mark.parametrize("operation", ["describe_agreement", "get_agreement_entitlements", "get_agreement_contacts"])
@pytest.mark.parametrize(
    ("agreement_id", "expected"),
    [
        (
            "agmt-unknown",
            {
                "code": "ResourceNotFoundException",
                "status": 404,
                "resourceId": "agmt-unknown",
                "resourceType": "Agreement",
            },
        ),
        ("agmt unknown", {"code": "ValidationException", "status": 400, "reason": "INVALID_AGREEMENT_ID"}),
        ("a" * 65, {"code": "ValidationException", "status": 400, "reason": "INVALID_AGREEMENT_ID"}),
    ],
)
def test_an_agreement_that_does_not_exist_is_not_found(
    client: Any, operation: str, agreement_id: str, expected: dict[str, Any]
) -> None:
    assert error(lambda: of(client, operation, agreement_id)) == expected


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("DescribeAgreement", {}, "ValidationException"),
        ("DescribeAgreement", {"agreementId": None}, "ValidationException"),
        ("DescribeAgreement", {"agreementId": 1}, "SerializationException"),
        ("DescribeAgreement", b"[]", "SerializationException"),
        ("DescribeAgreement", b"{", "SerializationException"),
        ("SearchAgreements", {"maxResults": True}, "SerializationException"),
        ("SearchAgreements", {**request(), "filters": {}}, "SerializationException"),
        ("SearchAgreements", {**request(), "filters": ["Status"]}, "SerializationException"),
        ("SearchAgreements", {**request(), "filters": [{"name": ["Status"]}]}, "SerializationException"),
        ("SearchAgreements", {**request(), "filters": [{"values": "ACTIVE"}]}, "SerializationException"),
        ("SearchAgreements", {**request(), "filters": [{"values": [1]}]}, "SerializationException"),
        ("SearchAgreements", {**request(), "sort": {"sortBy": 1}}, "SerializationException"),
        ("AcceptAgreementRequest", {}, "UnknownOperationException"),
        ("", {}, "UnknownOperationException"),
    ],
)
def test_a_request_that_cannot_be_read_is_rejected(
    stand_in: MarketplaceStandIn, operation: str, body: object, code: str
) -> None:
    assert post(stand_in, body, operation=operation) == (400, code)


def test_a_member_may_be_null(stand_in: MarketplaceStandIn) -> None:
    body = {**request(), "maxResults": None, "nextToken": None, "sort": {"sortBy": None, "sortOrder": None}}

    assert post(stand_in, body) == (200, "OK")


@pytest.mark.parametrize("region", ["us-east-1", "eusc-de-east-1"])
def test_a_region_that_has_the_api_is_accepted(stand_in: MarketplaceStandIn, region: str) -> None:
    with closing(make_client(stand_in, region=region)) as client:
        assert search(client) == []

    (call,) = stand_in.agreements.calls
    assert (call.operation, call.request, call.region) == ("SearchAgreements", request(), region)
    assert (call.access_key_id, call.outcome) == ("AKIDEXAMPLE", "OK")


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, (403, "MissingAuthenticationTokenException")),
        ("Bearer x", (400, "IncompleteSignatureException")),
        (SIGNED.replace("us-east-1", "eu-west-1"), (403, "InvalidSignatureException")),
        (SIGNED.replace("us-east-1", "cn-northwest-1"), (403, "InvalidSignatureException")),
        (SIGNED.replace("aws-marketplace", "agreement-marketplace"), (403, "InvalidSignatureException")),
    ],
)
def test_a_call_must_be_signed(
    stand_in: MarketplaceStandIn, authorization: str | None, expected: tuple[int, str]
) -> None:
    stand_in.agreements.search_agreements.throttle()

    assert post(stand_in, request(), authorization=authorization) == expected
    assert [call.outcome for call in stand_in.agreements.calls] == [expected[1]]
    assert post(stand_in, request()) == (429, "ThrottlingException")


@pytest.mark.parametrize(
    ("inject", "code", "status_code"),
    [
        (AgreementOperation.throttle, "ThrottlingException", 429),
        (AgreementOperation.fail, "InternalServerException", 500),
        (AgreementOperation.refuse, "AccessDeniedException", 403),
        (partial(AgreementOperation.refuse, code="ValidationException"), "ValidationException", 400),
        (partial(AgreementOperation.refuse, code="ResourceNotFoundException"), "ResourceNotFoundException", 404),
    ],
)
def test_an_operation_fails_with_the_statuses_of_the_agreement_api(
    stand_in: MarketplaceStandIn,
    client: Any,
    customer: MarketplaceCustomer,
    inject: Callable[[AgreementOperation], None],
    code: str,
    status_code: int,
) -> None:
    stand_in.subscribe(customer)
    inject(stand_in.agreements.get_agreement_entitlements)

    assert len(search(client)) == 1
    found = error(lambda: status(client, customer.agreement_id))
    assert (found["code"], found["status"]) == (code, status_code)
    assert status(client, customer.agreement_id) == PENDING
    assert [(call.operation, call.outcome) for call in stand_in.agreements.calls] == [
        ("SearchAgreements", "OK"),
        ("GetAgreementEntitlements", code),
        ("GetAgreementEntitlements", "OK"),
    ]


def test_a_denial_names_the_operation(stand_in: MarketplaceStandIn, client: Any) -> None:
    stand_in.agreements.describe_agreement.refuse()

    with pytest.raises(ClientError, match="aws-marketplace:DescribeAgreement because"):
        client.describe_agreement(agreementId="agmt-unknown")


def test_an_sdk_retries_what_is_throttled_or_lost(stand_in: MarketplaceStandIn) -> None:
    stand_in.agreements.search_agreements.throttle()
    stand_in.agreements.search_agreements.close_connection()

    with closing(make_client(stand_in, attempts=3)) as client:
        assert search(client) == []

    outcomes = [call.outcome for call in stand_in.agreements.calls]
    assert outcomes == ["ThrottlingException", "ConnectionClosed", "OK"]


def test_an_answer_may_be_any(stand_in: MarketplaceStandIn, client: Any) -> None:
    failed = {"status": "FAILED", "statusReasonCode": "INVALID_PAYMENT_INSTRUMENT"}
    stand_in.agreements.get_agreement_entitlements.answer({"agreementEntitlements": [failed]})

    assert status(client, "agmt-unknown") == ("FAILED", "INVALID_PAYMENT_INSTRUMENT")


def test_a_reset_removes_faults_and_calls(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer
) -> None:
    stand_in.subscribe(customer)
    service: AgreementService = stand_in.agreements
    search(client)
    service.get_agreement_contacts.close_connection()
    with pytest.raises(ConnectionClosedError):
        client.get_agreement_contacts(agreementId=customer.agreement_id)
    for operation in (service.search_agreements, service.describe_agreement, service.get_agreement_contacts):
        operation.fail()

    stand_in.reset()

    assert service.calls == ()
    assert len(search(client)) == 1
    of(client, "describe_agreement", customer.agreement_id)
    of(client, "get_agreement_contacts", customer.agreement_id)


@pytest.mark.parametrize(("operation", "at_once"), [("describe_agreement", 5), ("get_agreement_entitlements", 10)])
def test_quotas_are_enforced_on_request(
    stand_in: MarketplaceStandIn, client: Any, customer: MarketplaceCustomer, operation: str, at_once: int
) -> None:
    stand_in.subscribe(customer)
    for _ in range(15):
        of(client, operation, customer.agreement_id)
    stand_in.reset()

    stand_in.agreements.enforce_quotas()
    for _ in range(30):
        with suppress(ClientError):
            of(client, operation, customer.agreement_id)

    outcomes = [call.outcome for call in stand_in.agreements.calls]
    assert set(outcomes) == {"OK", "ThrottlingException"}
    assert outcomes.index("ThrottlingException") >= at_once
    assert search(client) != []
    of(client, "get_agreement_contacts", customer.agreement_id)


def test_a_quota_allows_the_calls_of_a_second_at_once_and_then_its_rate() -> None:
    seconds = [0.0]
    quota = Quota(5, lambda: seconds[0])

    assert [quota.allows() for _ in range(6)] == [True] * 5 + [False]
    seconds[0] = 0.5
    assert [quota.allows() for _ in range(3)] == [True, True, False]
    seconds[0] = 60
    assert [quota.allows() for _ in range(6)] == [True] * 5 + [False]


SUBSCRIPTIONS = st.sampled_from(
    [
        MarketplaceStandIn.subscribe,
        partial(MarketplaceStandIn.subscribe, entitlements={"users": 1}),
        partial(MarketplaceStandIn.subscribe, starts=NOW + timedelta(minutes=5)),
    ]
)
STEPS = st.sampled_from(
    [
        partial(MarketplaceStandIn.change, entitlements={"users": 2}),
        partial(MarketplaceStandIn.change, entitlements={"users": 3}, new_agreement=True),
        MarketplaceStandIn.renew,
        partial(MarketplaceStandIn.renew, new_agreement=False),
        partial(MarketplaceStandIn.renew, new_license=True),
        MarketplaceStandIn.resubscribe,
        partial(MarketplaceStandIn.resubscribe, new_license=True),
        MarketplaceStandIn.cancel,
        partial(MarketplaceStandIn.cancel, status="EXPIRED"),
    ]
)
WAITS = st.sampled_from([timedelta(0), timedelta(seconds=20), timedelta(seconds=60), timedelta(minutes=10)])


def time_of(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])


def is_consistent(summary: dict[str, Any], shown: Status, events: list[Event], now: datetime) -> bool:
    """Hold what the API says of an agreement against its events and those of its license."""
    agreement_id = summary["agreementId"]
    own = [event for event in events if event["detail"]["agreement"]["id"] == agreement_id]
    (created,) = [event["detail"]["agreement"] for event in own if "Created" in event["detail-type"]]
    ended = [event["detail"]["agreement"]["status"] for event in own if "Ended" in event["detail-type"]]
    assert [summary["status"]] == (ended or ["ACTIVE"])
    assert text(summary["acceptanceTime"]) == created["acceptanceTime"]
    assert text(summary["startTime"]) == created["startTime"]
    last = max(
        time_of(event) for event in own if "License" not in event["detail-type"] or "Updated" in event["detail-type"]
    )
    assert summary["acceptanceTime"] <= summary["lastUpdateTime"] <= last
    previous = [
        event["detail"]["agreement"]["previousAgreementId"]
        for event in events
        if "previousAgreementId" in event["detail"]["agreement"] and event["detail"]["agreement"]["id"] == agreement_id
    ]
    assert bool(previous) is (summary["initialAgreementId"] != agreement_id)

    (license_arn,) = {event["detail"]["license"]["arn"] for event in own if "license" in event["detail"]}
    assert summary["entitlements"] in ([{"licenseArn": license_arn}], [])
    provisioned = min(time_of(event) for event in own if "License Updated" in event["detail-type"])
    gone = [
        time_of(event)
        for event in events
        if "Deprovisioned" in event["detail-type"]
        and event["detail"]["license"]["arn"] == license_arn
        and time_of(event) > provisioned
    ]
    expected = SCHEDULED if now < summary["startTime"] != summary["acceptanceTime"] else PENDING
    if provisioned <= now:
        expected = INACTIVE if gone and min(gone) <= now else ACTIVE
    assert shown == expected
    return True


@given(
    subscriptions=st.tuples(SUBSCRIPTIONS, SUBSCRIPTIONS),
    life=st.lists(st.tuples(st.integers(0, 1), STEPS, WAITS), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_the_api_says_what_the_events_have_said(
    subscriptions: tuple[Any, Any], life: list[tuple[int, Any, timedelta]]
) -> None:
    with MarketplaceStandIn(clock=MovableClock(lambda: NOW)) as stand_in, closing(make_client(stand_in)) as client:
        buyers = [MarketplaceCustomer.licensed(PRODUCT_CODE), MarketplaceCustomer.legacy("another")]
        subscribed = [step(stand_in, buyer) for step, buyer in zip(subscriptions, buyers, strict=True)]
        events: list[Event] = list(chain.from_iterable(subscribed))
        for number, step, wait in life:
            stand_in.clock.advance(wait)
            # Not every step can follow every other.
            with suppress(ValueError):
                events += step(stand_in, buyers[number])
            found = search(client)
            created = [event["detail"]["agreement"]["id"] for event in events if "Created" in event["detail-type"]]
            assert sorted(ids(found)) == sorted(created)
            for summary in found:
                shown = status(client, summary["agreementId"])
                assert is_consistent(summary, shown, events, stand_in.clock())
