"""Every check of ``constructs_lib.verify`` in an account in memory: it holds there, and does not where one thing is
broken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App

from constructs_lib.verify import _stacks
from constructs_lib.verify._checks import CHECKS
from constructs_lib.verify._names import CUSTOM_DOMAIN, MAIN, RELEASED, THROTTLED
from constructs_lib.verify._report import Report, Row
from constructs_lib.verify._running import run_checks
from tests.e2e.released import record
from tests.verify_world import CONTEXT, RUN, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RELEASE = Path(record.__file__).with_name("0.1.0.zip")
MEASURED = {"cold-starts", "runtime-versions", "throttled-function"}


@pytest.fixture(scope="session")
def templates() -> Mapping[str, dict[str, Any]]:
    app = App(context=CONTEXT)
    _stacks.make(app)
    return {stack.stack_name.removeprefix(f"{RUN}-"): stack.template for stack in app.synth().stacks}


@pytest.fixture
def world(templates: Mapping[str, dict[str, Any]], tmp_path: Path) -> World:
    return World(templates, tmp_path)


class Rows(Report):
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, row: Row) -> None:
        self.rows[row.check] = row


def rows_of(world: World, last: str = CHECKS[-1].name) -> dict[str, Row]:
    """Run the checks, up to one of them, as a check looks at what earlier ones caused."""
    rows = Rows()
    names = [check.name for check in CHECKS]
    run_checks(CHECKS[: names.index(last) + 1], world.subject(released=RELEASE), rows)
    return rows.rows


def test_every_check_holds_in_an_account_in_which_nothing_is_broken(world: World) -> None:
    rows = rows_of(world)

    assert [row.check for row in rows.values()] == [check.name for check in CHECKS]
    assert {name: row.seen for name, row in rows.items() if row.holds is False or row.left_out} == {}
    assert {name for name, row in rows.items() if row.holds is None} == MEASURED


def fault(*names: str) -> Callable[[World], None]:
    return lambda world: world.faults.update(names)


def change(kind: str, end: str = MAIN, /, **properties: Any) -> Callable[[World], None]:
    """Change properties of the first resource of a type."""
    return lambda world: world.written(kind, end)[0].update(properties)


def count_something_else(world: World) -> None:
    (written,) = (
        one
        for one in world.written("AWS::Logs::MetricFilter")
        if one["MetricTransformations"][0]["MetricName"] == "StoreUnavailable"
    )
    written["FilterPattern"] = '{ $.outcome = "store_gone" }'


def count_too_much(world: World) -> None:
    (written,) = (
        one
        for one in world.written("AWS::Logs::MetricFilter")
        if one["MetricTransformations"][0]["MetricName"] == "StoreUnavailable"
    )
    written["FilterPattern"] = "{ $.outcome = * }"


def new_metric(world: World) -> None:
    written = world.written("AWS::Logs::MetricFilter")[0]
    written["MetricTransformations"] = [{**written["MetricTransformations"][0], "MetricName": "New"}]


def stop_all_filters(end: str) -> Callable[[World], None]:
    def stop(world: World) -> None:
        for one in world.written("AWS::Logs::MetricFilter", end):
            one["FilterPattern"] = '{ $.outcome = "nothing" }'

    return stop


def lose_log(end: str, name: str) -> Callable[[World], None]:
    return lambda world: world.faults.add(world.outputs()[end][name])


def widen(role: str, action: str) -> Callable[[World], None]:
    def widen_policy(world: World) -> None:
        statements = next(
            policy["PolicyDocument"]["Statement"]
            for policy in world.written("AWS::IAM::Policy")
            if role in policy["PolicyName"] and "Default" in policy["PolicyName"]
        )
        statements.append({"Effect": "Allow", "Action": action, "Resource": "*"})

    return widen_policy


def without_policies(world: World) -> None:
    for policy in world.written("AWS::IAM::Policy"):
        policy["PolicyDocument"]["Statement"] = []


def without_condition(world: World) -> None:
    for policy in world.written("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            statement.pop("Condition", None)


def other_stack_status(world: World) -> None:
    world.statuses[f"{RUN}-{THROTTLED}"] = "ROLLBACK_COMPLETE"


def unsaved_query(world: World) -> None:
    world.written("AWS::Logs::QueryDefinition")[0]["Name"] = "Elsewhere"


def malformed_query(world: World) -> None:
    world.written("AWS::Logs::QueryDefinition")[0]["QueryString"] = "field outcome"


def no_alarms(world: World) -> None:
    resources = world.templates[MAIN]["Resources"]
    for name in [name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]:
        del resources[name]


def burst(world: World) -> None:
    world.written("AWS::ApiGatewayV2::Stage", THROTTLED)[0]["DefaultRouteSettings"]["ThrottlingBurstLimit"] = 19


def grant_everyone(world: World) -> None:
    stranger = next(name for name in world.templates[MAIN]["Resources"] if name.startswith("Stranger"))
    next(policy for policy in world.written("AWS::IAM::Policy") if policy["PolicyName"].startswith("Backend"))[
        "Roles"
    ].append({"Ref": stranger})


def rule_of_marketplace(world: World) -> dict[str, Any]:
    rules = world.written("AWS::Events::Rule")
    return next(rule for rule in rules if rule.get("EventPattern") == {"source": ["aws.agreement-marketplace"]})


def rule_for_two_sources(world: World) -> None:
    rule_of_marketplace(world)["EventPattern"]["source"].append("marketplace-registration")


def rule_for_one_kind(world: World) -> None:
    rule_of_marketplace(world)["EventPattern"]["detail-type"] = ["License Updated - Manufacturer"]


BROKEN: list[tuple[str, Callable[[World], None], str]] = [
    ("deployment", other_stack_status, f"{RUN}-{THROTTLED}: ROLLBACK_COMPLETE"),
    ("deployment", fault("a metric filter is missing"), "of 38 metric filters"),
    ("metric-filters", count_something_else, "StoreUnavailable is 0, not 1"),
    ("metric-filters", count_too_much, "StoreUnavailable is 12, not 1"),
    ("metric-filters", new_metric, "no line for New"),
    ("metric-filters", lose_log(MAIN, "AccessLogGroup"), "ApiThrottled is 0, not 1"),
    ("cold-starts", fault("always warm"), ": 15 reports, 0 of them cold"),
    ("fulfillment-page", fault("page"), "500, 13 characters"),
    ("made-up-token", fault("marketplace"), "500 marketplace_refused, because AWS said AccessDeniedException"),
    ("made-up-token", fault("no JSON"), "502 'Bad Gateway', without a reference"),
    ("outcome-line", lose_log(MAIN, "LogGroup"), "400 token_invalid, and 0 lines with its reference in the log"),
    ("outcome-line", fault("line without its time"), "resolve_customer_ms is None"),
    ("outcome-line", fault("line with the token"), "the token is in it"),
    ("outcome-counted", stop_all_filters(CUSTOM_DOMAIN), "token_invalid, and no metric has it"),
    ("outcome-counted", fault("no JSON"), "no outcome, and no metric has it"),
    ("half-a-throttle", burst, "rate 1, burst 19"),
    ("throttled-requests", fault("no throttle"), "{200}"),
    ("throttled-requests", lose_log(THROTTLED, "AccessLogGroup"), "429, but not in the access log"),
    ("throttled-requests", stop_all_filters(THROTTLED), "ApiThrottled counts none"),
    ("throttled-routes", fault("routes share"), "GET 429, HEAD 429"),
    ("throttled-routes", fault("no throttle"), "(200, 200, 200)"),
    ("throttled-function", fault("concurrency"), "200"),
    ("claim-unsigned", fault("everyone may claim"), "404 claim_refused"),
    ("claim-wrongly-signed", fault("everyone may claim"), "404 claim_refused"),
    ("claim-not-granted", grant_everyone, "404 claim_refused"),
    ("claim-unknown-code", without_policies, "403"),
    ("claim-unknown-code", fault("claims fail"), "503 store_unavailable"),
    ("claim-custom-domain", fault("domain"), "ConnectionRefusedError"),
    ("insights-queries", fault("queries find nothing"), "Complete, 0 rows"),
    ("insights-queries", fault("queries hang"), "Running"),
    ("insights-queries", malformed_query, "MalformedQueryException"),
    ("insights-queries", unsaved_query, "Last failures"),
    ("alarms", change("AWS::CloudWatch::Alarm", AlarmActions=[]), "no message of ALARM from"),
    ("alarms", change("AWS::CloudWatch::Alarm", OKActions=[]), "no message of OK from"),
    ("alarms", change("AWS::SNS::Subscription", TopicArn="another"), "no message of ALARM from"),
    ("alarms", no_alarms, "0 alarms"),
    ("role-policies", without_policies, "Resolver: dynamodb:GetItem on TableArn is implicitDeny"),
    ("role-policies", without_condition, "Publisher: events:PutEvents on BusArn is allowed"),
    ("role-policies", without_condition, "Reconciler: aws-marketplace:SearchAgreements on * is allowed"),
    ("role-policies", widen("Resolver", "dynamodb:Scan"), "Resolver: dynamodb:Scan on ClaimsTableArn is allowed"),
    ("role-policies", widen("Subscriber", "sqs:SendMessage"), "Subscriber: sqs:SendMessage on QueueArn is allowed"),
    ("subscription-event", fault("subscriber"), "License Updated - Manufacturer: the table says nothing"),
    ("subscription-event", fault("publisher"), "the table says ACTIVE, but no Subscription Ready at the target"),
    ("subscription-rule", rule_for_two_sources, "matched: source marketplace-registration"),
    ("subscription-rule", rule_for_one_kind, "not matched: A Kind of Next Year"),
    ("entitlements", fault("AccessDeniedException"), "marketplace_refused, because AWS said AccessDeniedException"),
    ("entitlements", fault("entitlements"), "no call of GetEntitlements in the subscriber's log"),
    ("reconciliation", fault("agreements"), "incomplete, because AWS said AccessDeniedException, 0 calls"),
    ("reconciliation", fault("reconciler"), "no end of a run in the reconciler's log, and 0 findings"),
    ("redeployment", fault("redeployment changes"), f"{RUN}-{MAIN}: UPDATE_COMPLETE"),
    ("redeployment", fault("cdk"), "CdkError: cdk deploy failed with 1"),
    ("upgrade", fault("table is replaced"), "TableName: kept has become replaced; 0 registrations"),
]


@pytest.mark.parametrize(("name", "break_it", "seen"), BROKEN, ids=[f"{name}-{seen}" for name, _, seen in BROKEN])
def test_a_check_does_not_hold_where_what_it_is_about_is_broken(
    world: World, name: str, break_it: Callable[[World], None], seen: str
) -> None:
    break_it(world)

    row = rows_of(world, name)[name]

    assert row.holds is False
    assert seen in row.seen


def test_every_check_has_a_test_in_which_it_does_not_hold() -> None:
    assert {name for name, _, _ in BROKEN} == {check.name for check in CHECKS} - {"runtime-versions"}


def test_a_license_that_is_made_up_may_be_called_so(world: World) -> None:
    world.faults.add("InvalidParameterException")

    row = rows_of(world, "entitlements")["entitlements"]

    assert (row.holds, row.seen) == (True, "marketplace_refused, because AWS said InvalidParameterException")


def test_what_is_not_given_is_left_out_with_the_reason(world: World) -> None:
    rows = Rows()

    run_checks(CHECKS, world.subject(domain=""), rows)

    assert {name: row.seen for name, row in rows.rows.items() if row.left_out} == {
        "claim-custom-domain": "no --domain was given",
        "upgrade": "no --released was given",
    }
    assert all(row.holds is None for row in rows.rows.values() if row.left_out)


def test_what_the_local_aws_cannot_show_is_left_out_with_the_reason(world: World) -> None:
    url = "https://127.0.0.1:4566"
    subject = world.subject(local_url=url, released=RELEASE)

    left_out = {check.name: reason for check in CHECKS if (reason := check.left_out(subject))}

    assert left_out.keys() >= {"metric-filters", "claim-custom-domain"}
    assert all(reason.startswith("the local AWS ") for reason in left_out.values())
    assert subject.url("/claim") == f"{url}/_aws/execute-api/{subject.main['ApiId']}/$default/claim"


def test_an_upgrade_is_deployed_from_a_release_under_the_name_of_the_run(world: World) -> None:
    rows_of(world)

    assert world.deployed == ["{}", str(world.folder / RELEASED), f'{{"{RELEASED}": "true"}}']
    template = (world.folder / RELEASED / "Released.template.json").read_text()
    assert "Retain" not in template
    assert '"DeletionProtectionEnabled": true' not in template
