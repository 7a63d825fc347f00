"""The runbook and the cost table agree with the template and the resolver."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk.assertions import Template

from constructs_lib import AlarmName, MarketplaceEventForwarding, MarketplaceRegistration
from constructs_lib.registration._resolver import MEMORY_MIB
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.subscriptions._functions import MEMORY_MIB as SUBSCRIPTIONS_MEMORY_MIB
from constructs_lib.subscriptions._signals import FORWARDING_SIGNALS
from constructs_lib.subscriptions._signals import SIGNALS as SUBSCRIPTION_SIGNALS
from docs import cost
from local.emulated.api_events import json_event
from local.product import LANDING_PAGE, PRODUCT_CODE
from publisher.log_line import FIELDS as PUBLISHER_FIELDS
from reconciler.log_line import FINDING_FIELDS, RUN_FIELDS
from resolver.handler import Handler
from resolver.pages import Pages
from resolver.registration import Registrar, Registration
from subscriber.log_line import FIELDS as SUBSCRIBER_FIELDS
from tests.fakes import ACCOUNT, FakeMarketplace, FakeStore
from tests.infrastructure.stacks import subscribe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs_lib.monitoring._signal import Signal
    from resolver.registration import Customer

DOCS = Path(cost.__file__).parent
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
COST = (DOCS / "cost.md").read_text(encoding="utf-8")

# What CloudWatch Logs and the Lambda runtime add to every line, or write themselves.
INSIGHTS = {"@timestamp"}
RUNTIME = {"message", "requestId", "errorType", "errorMessage", "stackTrace", "type", "record.status"}
CONSTRUCTS: Mapping[str, Mapping[Any, Signal]] = {
    "Registration": SIGNALS,
    "Subscriptions": SUBSCRIPTION_SIGNALS,
    "Forwarding": FORWARDING_SIGNALS,
}
NAMES = [name for signals in CONSTRUCTS.values() for name in signals]
RECONCILER_FIELDS = (*FINDING_FIELDS, *RUN_FIELDS)
SYNTAX = {
    "fields",
    "filter",
    "stats",
    "display",
    "sort",
    "limit",
    "by",
    "and",
    "or",
    "not",
    "in",
    "like",
    "desc",
    "asc",
    "as",
}


def headings() -> list[str]:
    return re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)


def section(name: str) -> str:
    (found,) = (part for part in RUNBOOK.split("\n## ") if name in part.splitlines()[0].split(", "))
    return found


def defaults() -> dict[str, list[str]]:
    (table,) = re.findall(r"^## Defaults\n(.+?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {name: cells for name, *cells in rows[2:]}


def queries(log: str) -> list[str]:
    return re.findall(rf"^```logs\n# {log} log\n(.+?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)


def fields_of(query: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    aliases = set(re.findall(r"\bas (\w+)", bare))
    names = set(re.findall(r"(?<![\w@.])@?[A-Za-z_][\w.]*\b(?!\()", bare))
    return {re.sub(r"\.\d+$", "", name) for name in names - aliases - SYNTAX}


@pytest.fixture(scope="module")
def template() -> Template:
    """A stack with every construct that has alarms."""
    stack = Stack(App(), "Stack")
    subscribe(stack)
    elsewhere = events.EventBus.from_event_bus_arn(stack, "Bus", "arn:aws:events:eu-west-1:111122223333:event-bus/bus")
    MarketplaceEventForwarding(stack, "Forwarding", event_bus=elsewhere)
    return Template.from_stack(stack)


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    found = template.find_resources("AWS::CloudWatch::Alarm")
    return {
        name: next(alarm["Properties"] for id_, alarm in found.items() if id_[:-8] == f"{construct}Alarms{name}")
        for construct, signals in CONSTRUCTS.items()
        for name in signals
    }


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return the fields of the resolver's log lines for a registration, its claim and a failure."""
    store = FakeStore()
    customer = {name: "x" for name in Registration.__annotations__ if name not in {"RegisteredAt", "LastRegisteredAt"}}
    customer |= {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT_CODE}
    registrar = Registrar(
        marketplace=FakeMarketplace({"token": cast("Customer", customer)}),
        store=store,
        products={PRODUCT_CODE: LANDING_PAGE},
        claim_ttl=timedelta(minutes=10),
    )
    handler = Handler(registrar=registrar, pages=Pages(support_url=None, login_url=None))
    with caplog.at_level(logging.INFO, logger="resolver"):
        response = handler(json_event("POST /register", {"x-amzn-marketplace-token": "token"}), None)
        code = json.loads(response["body"])["landing_page"].partition("registration_code=")[2]
        store.fail_at = "take_claim"
        handler(json_event("POST /claim", {"registration_code": code}), None)
        store.fail_at = None
        handler(json_event("POST /claim", {"registration_code": code}), None)
    assert [record.__dict__["status"] for record in caplog.records] == [200, 503, 200]
    standard = logging.makeLogRecord({}).__dict__.keys()
    return {name for record in caplog.records for name in record.__dict__ if name not in standard}


@pytest.mark.parametrize("name", NAMES)
def test_every_alarm_has_a_section_with_every_part(name: str) -> None:
    written = section(name)

    for part in ("**Impact.**", "**Who is affected.**", "**What to do.**", "**Test.**"):
        assert part in written
    # The forwarding has no function, and no log.
    assert ("```logs" in written) is (name not in FORWARDING_SIGNALS)
    fired = re.findall(r"`fire (\w+)`", written)
    assert fired
    assert set(fired) <= set(written.splitlines()[0].split(", "))


def test_no_section_is_about_an_unknown_alarm() -> None:
    general = {"Before anything else", "Contacting a buyer", "Reasons", "Defaults"}
    named = [name for heading in headings() if heading not in general for name in heading.split(", ")]

    assert sorted(named) == sorted(NAMES)


def test_the_table_of_defaults_is_what_is_deployed(template: Template) -> None:
    deployed = {
        name: (
            alarm["Threshold"],
            Duration.seconds(alarm["Period"]).to_human_string(),
            f"{alarm['DatapointsToAlarm']} of {alarm['EvaluationPeriods']}",
        )
        for name, alarm in alarms(template).items()
    }

    written = {name: (float(cells[1]), cells[2], cells[3]) for name, cells in defaults().items()}

    assert written == deployed


def test_the_table_names_the_metric_of_each_alarm(template: Template) -> None:
    for name, alarm in alarms(template).items():
        metric = defaults()[name][0]
        assert metric.startswith(f"`{alarm['MetricName']}`")
        for dimension in alarm.get("Dimensions", []):
            if dimension["Name"] == "Operation":
                assert f"`{dimension['Value']}`" in metric


def test_the_comparison_is_as_the_runbook_says(template: Template) -> None:
    for name, alarm in alarms(template).items():
        below = name == "ReconciliationsLate"
        assert alarm["ComparisonOperator"] == ("LessThanThreshold" if below else "GreaterThanOrEqualToThreshold")
        assert alarm["TreatMissingData"] == ("breaching" if below else "notBreaching")


def test_queries_of_the_resolvers_log_name_only_what_is_logged(logged: set[str]) -> None:
    known = logged | {"reason"} | RUNTIME | INSIGHTS

    assert queries("resolver")
    for query in queries("resolver"):
        assert fields_of(query) <= known


def test_queries_of_the_access_log_name_only_what_is_logged(minimal_template: Template) -> None:
    (stage,) = minimal_template.find_resources("AWS::ApiGatewayV2::Stage").values()
    known = json.loads(stage["Properties"]["AccessLogSettings"]["Format"]).keys() | INSIGHTS

    assert queries("access")
    for query in queries("access"):
        assert fields_of(query) <= known


@pytest.mark.parametrize(
    ("log", "fields"),
    [("subscriber", SUBSCRIBER_FIELDS), ("publisher", PUBLISHER_FIELDS), ("reconciler", RECONCILER_FIELDS)],
)
def test_queries_of_the_subscriptions_logs_name_only_what_is_logged(log: str, fields: tuple[str, ...]) -> None:
    assert queries(log)
    for query in queries(log):
        assert fields_of(query) <= {*fields, *RUNTIME, *INSIGHTS}


def test_every_query_says_which_log_it_is_of() -> None:
    of_logs = [queries(log) for log in ("resolver", "access", "subscriber", "publisher", "reconciler")]

    assert RUNBOOK.count("```logs\n") == sum(map(len, of_logs))


def test_the_shell_finds_each_resource_and_no_other(template: Template) -> None:
    functions = {
        name: set(re.findall(r'\$\(of (AWS::\S+) "?(\w+)\)', RUNBOOK.split(f"\n{name}() {{\n")[1].split("\n}\n")[0]))
        for name in ("look_up", "look_up_subscriptions")
    }
    (forwarding,) = re.findall(r"^STACK=Publishing ID=Forwarding\nDEAD\w+=\$\(of (\S+) (\w+)\)", RUNBOOK, re.MULTILINE)
    looked_for = {
        "Registration": functions["look_up"],
        "Subscriptions": functions["look_up_subscriptions"],
        "Forwarding": {forwarding},
    }

    assert [len(names) for names in looked_for.values()] == [7, 14, 1]
    for construct, names in looked_for.items():
        wanted = names | {("AWS::CloudWatch::Alarm", f"Alarms{name}") for name in CONSTRUCTS[construct]}
        for kind, name in wanted:
            found = [id_ for id_ in template.find_resources(kind) if id_.startswith(f"{construct}{name}")]
            assert len(found) == 1, (kind, name, found)


def test_links_within_the_runbook_lead_somewhere() -> None:
    anchors = {heading.lower().replace(",", "").replace(" ", "-") for heading in headings()}

    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_the_cost_is_that_of_what_is_deployed(minimal_template: Template) -> None:
    (function,) = minimal_template.find_resources("AWS::Lambda::Function").values()

    minimal_template.resource_count_is("AWS::CloudWatch::Alarm", cost.ALARMS)
    filters = minimal_template.find_resources("AWS::Logs::MetricFilter").values()
    # Two filters can publish to one metric.
    assert len({filter_["Properties"]["MetricTransformations"][0]["MetricName"] for filter_ in filters}) == cost.METRICS
    assert function["Properties"]["MemorySize"] == MEMORY_MIB
    for log_group in minimal_template.find_resources("AWS::Logs::LogGroup").values():
        assert log_group["Properties"]["RetentionInDays"] == 365


def test_the_cost_of_subscriptions_is_that_of_what_is_deployed() -> None:
    stack = Stack(App(), "Stack")
    subscribe(stack)
    template = Template.from_stack(stack)

    def of_subscriptions(kind: str) -> list[dict[str, Any]]:
        found = template.find_resources(kind).items()
        return [resource["Properties"] for name, resource in found if name.startswith("Subscriptions")]

    assert len(of_subscriptions("AWS::CloudWatch::Alarm")) == cost.SUBSCRIPTION_ALARMS
    assert len(of_subscriptions("AWS::Logs::MetricFilter")) == cost.SUBSCRIPTION_METRICS
    for function in of_subscriptions("AWS::Lambda::Function"):
        assert function["MemorySize"] == SUBSCRIPTIONS_MEMORY_MIB
    for log_group in of_subscriptions("AWS::Logs::LogGroup"):
        assert log_group["RetentionInDays"] == 365


def test_every_price_and_quantity_is_explained() -> None:
    for price in (
        *(f"${per * 1e6:.2f}" for per in (cost.PER_API_REQUEST, cost.PER_INVOCATION)),
        *(f"${per * 1e6:.3f}" for per in (cost.PER_WRITE_UNIT, cost.PER_READ_UNIT)),
        *(f"${per:.2f}" for per in (cost.PER_TABLE_GB, cost.PER_RECOVERY_GB, cost.PER_LOGGED_GB)),
        *(f"${per:.2f}" for per in (cost.PER_KEPT_LOG_GB, cost.PER_METRIC, cost.PER_ALARM)),
        f"${cost.PER_GB_SECOND:.10f}",
        f"{cost.REQUESTS} requests",
        f"{cost.COLD_SECONDS} s and {cost.WARM_SECONDS} s at {MEMORY_MIB:,} MB",
        f"{cost.WRITE_UNITS} write request units",
        f"{cost.READ_UNITS} read request units",
        f"{cost.ITEM_BYTES} bytes of storage",
        f"a line of {cost.LINE_BYTES}, the runtime's own lines of {cost.PLATFORM_BYTES}",
        f"an access log line of {cost.ACCESS_BYTES}",
        f"{cost.METRICS_ALWAYS} metrics",
        f"${cost.PER_QUEUE_REQUEST * 1e6:.2f} | 1,000,000 requests of SQS",
        f"${cost.PER_PUBLISHED_EVENT * 1e6:.2f} | 1,000,000 events published",
        f"{cost.EVENTS} events",
        f"{cost.CHANGES} changes",
        f"{cost.PUBLICATIONS} publications",
        f"{cost.BATCH_SECONDS} s at {SUBSCRIPTIONS_MEMORY_MIB} MB",
        f"{cost.SUBSCRIPTION_WRITE_UNITS} write request units",
        f"{cost.SUBSCRIPTION_READ_UNITS} read request units",
        f"{cost.EVENT_REQUESTS} requests of SQS",
        f"{cost.POLLS:,} polls",
        f"{cost.BATCH_BYTES:,} bytes of logs",
        f"{cost.HOURS} runs, {cost.RUN_SECONDS} s each, with {cost.SCAN_SECONDS_PER_GB} s per GB scanned",
        f"{cost.AGREEMENTS} agreements, {cost.AGREEMENT_RUNS} times {cost.AGREEMENT_SECONDS} s each",
        f"{cost.SUBSCRIPTION_ITEMS} items of a subscription",
        f"{cost.READ_BYTES:,} bytes per read request unit",
        f"{cost.RECONCILER_METRICS_ALWAYS} metrics of the reconciler",
        f"{cost.SUBSCRIPTION_METRICS_ALWAYS} metrics of subscriptions",
    ):
        assert f"| {price}" in COST or price in COST.partition("## Quantities assumed")[2], price


def test_what_is_left_out_halves_an_idle_instance() -> None:
    stack = Stack(App(), "Stack")
    (example,) = re.findall(r"^```python\n(.+?)^```", COST, re.MULTILINE | re.DOTALL)

    exec(example, {"AlarmName": AlarmName, "MarketplaceRegistration": MarketplaceRegistration, "stack": stack})

    left = cost.ALARMS - cost.ALARMS_LEFT_OUT
    Template.from_stack(stack).resource_count_is("AWS::CloudWatch::Alarm", left)
    # To one alarm: a new one does not change the list.
    assert left <= cost.ALARMS / 2 + 1
