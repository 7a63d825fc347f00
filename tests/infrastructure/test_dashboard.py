"""The dashboard, its picture, and the query for lost buyers."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.assertions import Template

from constructs_lib import AlarmSettings, LostBuyersQuery, RegistrationDashboard
from constructs_lib.registration._lost_buyers import LOST_BUYERS
from constructs_lib.registration._outcomes import COUNTS, TIMES
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.subscriptions._lost_buyers import LOST_BUYERS as NEVER_ARRIVED
from docs.draw_dashboard import dashboard_body
from local.product import PRODUCT_CODE
from reconciler.log_line import FINDING_FIELDS
from resolver.log_line import OUTCOMES
from tests.infrastructure.checks import cfn_lint_findings, synthesize_with_cdk_nag
from tests.infrastructure.stacks import register, subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Line = Mapping[str, Any]

DOCS = Path(__file__).parents[2] / "docs"


def with_dashboard(stack: Stack, construct_id: str = "Registration", **parameters: Any) -> RegistrationDashboard:
    registration = register(stack, construct_id, **parameters)
    return RegistrationDashboard(stack, f"{construct_id}Dashboard", registration=registration)


def bodies(stack: Stack) -> list[dict[str, Any]]:
    def text(part: Any) -> str:
        return part if isinstance(part, str) else json.dumps(part).replace('"', "'")

    return [
        json.loads("".join(text(part) for part in dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]))
        for dashboard in Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    ]


def widgets(stack: Stack) -> dict[str, dict[str, Any]]:
    (body,) = bodies(stack)
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def metrics(graphs: Iterable[Mapping[str, Any]]) -> set[tuple[str, ...]]:
    """Return the metrics in graphs, each by its namespace, name and dimensions."""
    return {tuple(metric[:-1]) for graph in graphs for metric in graph.get("metrics", ())}


def test_the_dashboard_leads_from_the_alarms_down_to_the_single_request(stack: Stack) -> None:
    with_dashboard(stack)

    assert list(widgets(stack)) == [
        "Alarms",
        "Buyers in the selected time range",
        "Buyers' POSTs by outcome, per hour",
        "Registered, and claimed by your backend, per hour",
        "Time of Marketplace (ResolveCustomer)",
        "Time of DynamoDB (write of a registration)",
        "Total time (the resolver)",
        "API and resolver: errors and throttles",
        "Marketplace: errors and throttles",
        "Tokens and products rejected",
        "Claims: denied, rejected, missing",
        "DynamoDB: failed requests",
        "Tables: throttles",
        "Tables: DynamoDB errors",
        "Last failures",
        "Lost buyers",
    ]


def test_every_metric_of_the_log_and_of_every_alarm_is_drawn(stack: Stack) -> None:
    with_dashboard(stack)
    drawn = metrics(widgets(stack).values())
    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    watched = {alarm["Properties"]["MetricName"] for alarm in alarms}

    assert {path[1] for path in drawn} == {*COUNTS, *TIMES} | watched
    # A table's metrics differ in their dimensions only; two alarms watch one metric.
    assert len(drawn) == len(SIGNALS) - 1 + len({*COUNTS, *TIMES} - watched)


def test_every_alarms_metric_is_drawn_against_its_threshold(stack: Stack) -> None:
    with_dashboard(stack)
    drawn = {
        (metric[1], metric[-1]["stat"], line["value"])
        for graph in widgets(stack).values()
        for metric in graph.get("metrics", ())
        for line in graph.get("annotations", {}).get("horizontal", ())
    }
    thresholds = {
        (alarm["MetricName"], alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Threshold"])
        for alarm in (
            resource["Properties"]
            for resource in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
        )
    }

    assert thresholds <= drawn


def test_a_rejected_post_is_drawn_whatever_the_reason(stack: Stack) -> None:
    with_dashboard(stack)
    stacked = widgets(stack)["Buyers' POSTs by outcome, per hour"]

    outcomes = {outcome for _, name in metrics([stacked]) for outcome in COUNTS[name]}

    assert stacked["stacked"]
    assert outcomes == {*OUTCOMES} - {"claimed", "claim_refused"}


def test_times_are_shown_as_percentiles(stack: Stack) -> None:
    with_dashboard(stack)

    for title, widget in widgets(stack).items():
        if title.startswith("Time"):
            assert [metric[-1]["stat"] for metric in widget["metrics"]] == ["p50", "p90", "p99"]


def test_a_metric_is_drawn_over_its_alarms_period(stack: Stack) -> None:
    changed = AlarmSettings(threshold=7, period=Duration.minutes(30))
    with_dashboard(stack, alarm_settings={"ApiServerErrors": changed})

    graph = widgets(stack)["API and resolver: errors and throttles"]

    assert {line["value"]: line["label"] for line in graph["annotations"]["horizontal"]} == {
        7: "Alarm: API 5xx",
        1: "Alarm: 5xx per hour, API throttled, Resolver errors, Resolver throttled",
    }
    assert [metric[-1].get("period", 300) for metric in graph["metrics"]] == [1800, 3600, 300, 300, 300]
    # Otherwise CloudWatch widens the periods for long time ranges.
    assert bodies(stack)[0]["periodOverride"] == "inherit"


def test_a_disabled_alarm_leaves_its_metric_without_a_threshold(stack: Stack) -> None:
    with_dashboard(stack, alarm_settings={"TokensRefused": None, "ResolverSlow": None, "ApiThrottled": None})
    shown = widgets(stack)

    rejected = shown["Tokens and products rejected"]
    assert {metric[1] for metric in rejected["metrics"]} == {"TokensRefused", "ProductsRefused"}
    assert [line["label"] for line in rejected["annotations"]["horizontal"]] == ["Alarm: Products"]
    assert not shown["Total time (the resolver)"].get("annotations")
    assert len(shown["Alarms"]["alarms"]) == len(SIGNALS) - 3


def test_without_alarms_there_is_no_alarm_widget(stack: Stack) -> None:
    with_dashboard(stack, alarm_settings=dict.fromkeys(SIGNALS))

    assert "Alarms" not in widgets(stack)


def test_two_dashboards_in_one_stack_share_no_metric(stack: Stack) -> None:
    for name in ("One", "Two"):
        with_dashboard(stack, name)
    one, two = bodies(stack)

    assert not metrics(widget["properties"] for widget in one["widgets"]) & metrics(
        widget["properties"] for widget in two["widgets"]
    )
    template = Template.from_stack(stack)
    for dashboard in template.find_resources("AWS::CloudWatch::Dashboard").values():
        assert "DashboardName" not in dashboard["Properties"]
    names = [query["Properties"]["Name"] for query in template.find_resources("AWS::Logs::QueryDefinition").values()]
    assert names[0] != names[1]


def test_cdk_nag_reports_no_unacknowledged_finding(tmp_path: Path) -> None:
    synthesize_with_cdk_nag(lambda app: with_dashboard(Stack(app, "Stack")), tmp_path)


def test_cfn_lint_reports_no_finding(stack: Stack) -> None:
    with_dashboard(stack)

    assert cfn_lint_findings(Template.from_stack(stack).to_json()) == []


def test_the_documentation_describes_each_widget() -> None:
    page = (DOCS / "dashboard.md").read_text(encoding="utf-8")

    assert [w["properties"]["title"] for w in dashboard_body()["widgets"] if w["properties"]["title"] not in page] == []


def test_the_lost_buyers_query_is_saved_for_the_resolvers_log(stack: Stack) -> None:
    registration = register(stack)
    LostBuyersQuery(stack, "LostBuyers", log_group=registration.log_group)

    (query,) = Template.from_stack(stack).find_resources("AWS::Logs::QueryDefinition").values()

    assert query["Properties"] == {
        "Name": {"Fn::Join": ["", ["MarketplaceRegistration/", {"Ref": "AWS::StackName"}, "/LostBuyers"]]},
        "LogGroupNames": [stack.resolve(registration.log_group.log_group_name)],
        "QueryString": "\n| ".join(LOST_BUYERS),
    }


@pytest.mark.parametrize("reconciliation", [True, False])
def test_subscriptions_save_the_query_for_the_reconcilers_log(stack: Stack, *, reconciliation: bool) -> None:
    subscriptions = subscribe(stack, reconciliation=reconciliation)

    queries = Template.from_stack(stack).find_resources("AWS::Logs::QueryDefinition").values()

    log_group = subscriptions.reconciler_log_group
    assert [query["Properties"] for query in queries] == [
        {
            "Name": {"Fn::Join": ["", ["MarketplaceRegistration/", {"Ref": "AWS::StackName"}, f"/{path}"]]},
            "LogGroupNames": [stack.resolve(log_group.log_group_name)],
            "QueryString": "\n| ".join(NEVER_ARRIVED),
        }
        for path in ["Subscriptions/LostBuyers"]
        if log_group
    ]
    assert bool(log_group) is reconciliation


@pytest.mark.parametrize("commands", [LOST_BUYERS, NEVER_ARRIVED], ids=["resolver", "reconciler"])
def test_the_documentation_has_the_saved_query(commands: list[str]) -> None:
    query = "\n| ".join(commands)

    assert f"```\n{query}\n```" in (DOCS / "lost-buyers.md").read_text(encoding="utf-8")


def coalesce(line: Line, fields: str) -> Any:
    return next((line[field] for field in fields.split(", ") if line.get(field) is not None), None)


AGGREGATES: dict[str, Callable[[str, list[Line]], Any]] = {
    "max": lambda field, lines: max(line[field] for line in lines),
    "min": lambda field, lines: min(line[field] for line in lines),
    "latest": lambda field, lines: max(lines, key=lambda line: line["@timestamp"]).get(field),
    "sum": lambda field, lines: sum(line[field] for line in lines),
}


def run(commands: Iterable[str], lines: Iterable[Line]) -> list[Line]:
    """Evaluate the part of the Logs Insights query language that the query uses, and fail on any other.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
    """
    found = list(lines)
    for command in commands:
        name, _, rest = command.partition(" ")
        if name == "fields" and (match := re.fullmatch(r"coalesce\((.*)\) as (\w+)", rest)):
            fields, alias = match.groups()
            found = [{**line, alias: coalesce(line, fields)} for line in found]
        elif name == "fields" and (names := re.findall(r"(?:^|, )(\w+) as (\w+)", rest)):
            assert rest == ", ".join(f"{field} as {alias}" for field, alias in names)
            found = [{**line, **{alias: line.get(field) for field, alias in names}} for line in found]
        elif name == "fields":
            parts = re.findall(r'strcontains\((\w+), "(\w+)"\) as (\w+)', rest)
            assert rest == ", ".join(f'strcontains({field}, "{part}") as {alias}' for field, part, alias in parts)
            for field, part, alias in parts:
                found = [{**line, alias: int(part in line.get(field, ""))} for line in found]
        elif name == "filter":
            conditions = [condition(text) for text in rest.split(" or ")]
            found = [line for line in found if any(holds(line) for holds in conditions)]
        elif name == "stats":
            found = aggregate(rest, found)
        elif name == "sort" and (match := re.fullmatch(r"(\w+) desc", rest)):
            found = sorted(found, key=lambda line, by=match[1]: line[by], reverse=True)  # type: ignore[misc]
        elif name == "display":
            found = [{field: line[field] for field in rest.split(", ")} for line in found]
        else:
            raise NotImplementedError(command)
    return found


def condition(text: str) -> Callable[[Line], bool]:
    match = re.fullmatch(r"(\w+) (not in|=) (.+)", text)
    assert match
    field, operator, value = match[1], match[2], json.loads(match[3])
    return lambda line: line.get(field) == value if operator == "=" else line.get(field) not in value


def aggregate(stats: str, lines: list[Line]) -> list[Line]:
    calls, _, by = stats.partition(" by ")
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line[field] for field in by.split(", ")), []).append(line)
    parsed = [re.fullmatch(r"(\w+)\(([@*\w]+)\) as (\w+)", call) for call in calls.split(", ")]
    assert all(parsed)
    return [
        {
            **dict(zip(by.split(", "), group, strict=True)),
            **{match[3]: AGGREGATES[match[1]](match[2], members) for match in parsed if match},
        }
        for group, members in groups.items()
    ]


ACCOUNT = {"CustomerAWSAccountId": "111122223333", "ProductCode": PRODUCT_CODE, "LicenseArn": "license-1"}
OTHER_LICENSE = {**ACCOUNT, "LicenseArn": "license-2"}
WITHOUT_LICENSE = {"CustomerAWSAccountId": "111122223333", "ProductCode": PRODUCT_CODE}
UNKNOWN: dict[str, str] = {}


def line(at: int, outcome: str, who: Line, message: str = "POST /register") -> Line:
    return {"@timestamp": at, "message": message, "outcome": outcome, "api_request_id": f"request-{at}", **who}


claim = partial(line, message="POST /claim")


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        pytest.param([line(1, "registered", ACCOUNT), claim(2, "claimed", ACCOUNT)], [], id="claimed"),
        pytest.param([line(1, "registered", ACCOUNT)], ["111122223333"], id="registered and never claimed"),
        pytest.param(
            [line(1, "registered", ACCOUNT), claim(2, "claim_refused", UNKNOWN)],
            ["111122223333"],
            id="registered and claimed too late",
        ),
        pytest.param(
            [line(1, "registered", ACCOUNT), claim(2, "claimed", ACCOUNT), line(3, "registered_again", ACCOUNT)],
            [],
            id="registered again after the claim",
        ),
        pytest.param(
            [line(1, "registered", ACCOUNT), line(2, "registered_again", ACCOUNT), claim(3, "claimed", ACCOUNT)],
            [],
            id="pressed twice and claimed once",
        ),
        pytest.param(
            [line(1, "registered", ACCOUNT), line(2, "registered", OTHER_LICENSE), claim(3, "claimed", OTHER_LICENSE)],
            ["111122223333"],
            id="claimed for another purchase only",
        ),
        pytest.param([claim(1, "claimed", ACCOUNT)], [], id="registered before the time range"),
        pytest.param(
            [line(1, "registered", ACCOUNT), claim(2, "claimed", ACCOUNT), line(3, "store_unavailable", ACCOUNT)],
            ["111122223333"],
            id="failed after the claim",
        ),
        pytest.param([line(1, "store_unavailable", ACCOUNT)], ["111122223333"], id="failed"),
        pytest.param(
            [line(1, "store_unavailable", ACCOUNT), line(2, "registered", ACCOUNT), claim(3, "claimed", ACCOUNT)],
            [],
            id="failed and came back",
        ),
        pytest.param(
            [
                line(1, "store_unavailable", WITHOUT_LICENSE),
                line(2, "registered_again", WITHOUT_LICENSE),
                claim(3, "claimed", WITHOUT_LICENSE),
            ],
            [],
            id="came back for a product without licenses",
        ),
        pytest.param(
            [
                line(1, "store_unavailable", ACCOUNT),
                line(2, "registered", OTHER_LICENSE),
                claim(3, "claimed", OTHER_LICENSE),
            ],
            ["111122223333"],
            id="came back for another purchase only",
        ),
        pytest.param(
            [line(1, "product_refused", ACCOUNT), line(2, "product_refused", ACCOUNT)],
            ["111122223333"],
            id="rejected twice",
        ),
        pytest.param(
            [line(1, "token_expired", UNKNOWN), line(2, "marketplace_throttled", UNKNOWN)],
            ["request-2", "request-1"],
            id="without an account each request counts alone",
        ),
        pytest.param(
            [line(1, "registered", ACCOUNT), claim(2, "claimed", ACCOUNT), claim(3, "claim_refused", UNKNOWN)],
            [],
            id="claims are the backend's",
        ),
        pytest.param(
            [{"@timestamp": 1, "level": "ERROR", "errorType": "KeyError"}], [], id="a crash does not name its buyer"
        ),
    ],
)
def test_the_query_finds_lost_buyers(lines: list[Line], lost: list[str]) -> None:
    assert [result["buyer"] for result in run(LOST_BUYERS, reversed(lines))] == lost


def test_a_result_has_the_last_outcome_and_request() -> None:
    lines = [line(1, "store_unavailable", ACCOUNT), line(2, "product_refused", ACCOUNT)]

    assert run(LOST_BUYERS, lines) == [
        {
            "buyer": "111122223333",
            "product": PRODUCT_CODE,
            "last_outcome": "product_refused",
            "last_seen": 2,
            "attempts": 2,
            "last_request": "request-2",
        }
    ]


LOST = {"message": "finding", "outcome": "buyer_lost", "run": "hourly", "AgreementId": "agmt-1", **ACCOUNT}


def test_a_buyer_who_never_arrived_is_found_once_for_each_license() -> None:
    lines = [
        {"@timestamp": 1, **LOST},
        {"@timestamp": 2, **LOST, "run": "first", "AgreementId": "agmt-2"},
        {"@timestamp": 3, **LOST, **OTHER_LICENSE},
        {"@timestamp": 4, **LOST, "outcome": "license_missed", "LicenseArn": "license-3"},
        {"@timestamp": 5, "message": "run", "outcome": "finished", "buyers_lost": 2},
    ]

    assert run(NEVER_ARRIVED, reversed(lines)) == [
        {
            "account": "111122223333",
            "agreement": agreement,
            "product": PRODUCT_CODE,
            "license": license_,
            "first_seen": first,
            "last_seen": last,
        }
        for agreement, license_, first, last in [("agmt-1", "license-2", 3, 3), ("agmt-2", "license-1", 1, 2)]
    ]


def test_the_query_of_those_who_never_arrived_names_only_what_is_logged() -> None:
    assert {*LOST} - {"message"} <= {*FINDING_FIELDS}
    assert {*re.findall(r"\b[A-Z]\w*", " ".join(NEVER_ARRIVED))} <= {*LOST}
