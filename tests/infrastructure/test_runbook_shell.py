"""The runbook's shell works when it is pasted, and its list of reasons is complete.

It is executed in bash, with an ``aws`` of the test's own; what an interactive zsh does not take is excluded by rules.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest
from botocore.retries import standard
from botocore.session import Session

from docs import cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_cdk.assertions import Template

ROOT = Path(cost.__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", page, re.MULTILINE | re.DOTALL)


SHELL = blocks(RUNBOOK, "sh")
FUNCTIONS = SHELL[0]
SUBSCRIPTIONS = {
    "SUBSCRIBER",
    "SUBSCRIBER_LOG",
    "SUBSCRIBER_ROLE",
    "PUBLISHER",
    "PUBLISHER_LOG",
    "PUBLISHER_ROLE",
    "EVENTS",
    "DEAD_EVENTS",
    "DEAD_PUBLICATIONS",
    "RULE",
    "RECONCILER",
    "RECONCILER_LOG",
    "RECONCILER_ROLE",
    "SCHEDULE",
}
ALL_NAMES = set(re.findall(r"\b([A-Z_]+)=''", FUNCTIONS))
NAMES = ALL_NAMES - SUBSCRIPTIONS

# Responds as the CLI does, from a file with the stack and the statuses of a query; notes every command.
AWS = f"""#!{sys.executable}
import json, re, sys
from pathlib import Path

here = Path(__file__).parent
state = json.loads((here / "state.json").read_text())
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[2], options]) + "\\n")
match sys.argv[2]:
    case "list-stack-resources":
        if options["--stack-name"] != state["stack"]:
            sys.exit("Stack does not exist")
        kind, prefix = re.findall(r"'([^']+)'", options["--query"])
        print(json.dumps([i + "-name" for i, k in state["resources"].items() if k == kind and i.startswith(prefix)]))
    case "get-api":
        print(json.dumps({{"ApiEndpoint": "https://api.example.com", "DisableExecuteApiEndpoint": state["domain"]}}))
    case "start-query":
        print("query-id")
    case "receive-message":
        if state["messages"]:
            print(json.dumps({{"Messages": [state["messages"].pop(0)]}}))
            (here / "state.json").write_text(json.dumps(state))
    case "get-queue-attributes":
        print("arn:" + options["--queue-url"])
    case "get-shard-iterator":
        if state["trimmed"]:
            sys.exit("TrimmedDataAccessException")
        print("iterator")
    case "get-records":
        print(json.dumps({{"Records": state["records"][: int(options["--limit"])]}}))
    case "invoke":
        with (here / "payloads").open("a") as payloads:
            payloads.write(sys.stdin.read().strip() + "\\n")
        print(json.dumps(state["responses"].pop(0)))
        print(json.dumps({{"StatusCode": 200}}))
        (here / "state.json").write_text(json.dumps(state))
    case "describe-query-definitions":
        prefix = options["--query-definition-name-prefix"]
        print(json.dumps({{"queryDefinitions": [each for each in state["saved"] if each["name"].startswith(prefix)]}}))
    case "get-agreement-contacts":
        if options["--agreement-id"] not in state["contacts"]:
            sys.exit("ResourceNotFoundException")
        print(json.dumps(state["contacts"][options["--agreement-id"]]))
    case "get-query-results":
        print(json.dumps({{"status": state["statuses"].pop(0), "results": state["results"]}}))
        (here / "state.json").write_text(json.dumps(state))
"""


class Shell:
    """Runs the runbook's functions, and lines after them, with a stand-in for the AWS CLI on the path."""

    def __init__(self, folder: Path, resources: dict[str, str]) -> None:
        self._folder = folder
        self.state: dict[str, Any] = {
            "stack": "Seller",
            "resources": resources,
            "domain": False,
            "statuses": ["Complete"],
            "results": [],
            "saved": [],
            "contacts": {},
            "messages": [],
            "records": [],
            "trimmed": False,
            "responses": [{"batchItemFailures": []}] * 2,
        }
        (folder / "aws").write_text(AWS, encoding="utf-8")
        (folder / "aws").chmod(0o755)
        # A query that is not complete is asked for again without the pause.
        (folder / "sleep").write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / "sleep").chmod(0o755)

    def __call__(self, lines: str) -> subprocess.CompletedProcess[str]:
        (self._folder / "state.json").write_text(json.dumps(self.state), encoding="utf-8")
        for name in ("calls", "payloads"):
            (self._folder / name).write_text("", encoding="utf-8")
        return subprocess.run(
            ["bash", "--norc", "-c", f"{FUNCTIONS}\n{lines}"],
            env={"PATH": f"{self._folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def payloads(self) -> list[Any]:
        """Return what functions were invoked with."""
        return [json.loads(line) for line in (self._folder / "payloads").read_text(encoding="utf-8").splitlines()]

    def calls(self, operation: str) -> list[dict[str, str]]:
        lines = (self._folder / "calls").read_text(encoding="utf-8").splitlines()
        return [options for name, options in map(json.loads, lines) if name == operation]


@pytest.fixture
def shell(tmp_path: Path, subscribed_template: Template) -> Shell:
    resources = subscribed_template.to_json()["Resources"]
    return Shell(tmp_path, {name: resource["Type"] for name, resource in resources.items()})


# --- Rules for every page: an interactive zsh takes a comment for a command, and its apostrophe for an open quote.


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_blocks_of_shell_can_be_pasted_into_zsh(path: Path) -> None:
    for block in blocks(path.read_text(encoding="utf-8"), "sh"):
        assert not re.search(r"(^|\s)#", block), "a comment"
        assert "!" not in block, "the history of commands"
        assert not re.search(r"\$'|<<<|\bdeclare\b|\bshopt\b|\bread -[apt]|\$\{!|\$\{\w+\[", block), "a bashism"
        assert not re.search(r"\b(local |typeset )?(status|path|options|commands)=", block), "zsh's own variable"


def test_queries_can_be_pasted_between_single_quotes() -> None:
    assert blocks(RUNBOOK, "logs")
    for query in blocks(RUNBOOK, "logs"):
        assert "'" not in query


def test_commands_stop_at_a_name_that_was_not_found() -> None:
    assert {"RESOLVER", "RESOLVER_LOG", "ACCESS_LOG", "ROLE", "REGISTRATIONS", "CLAIMS", "API", "URL"} == NAMES
    assert ALL_NAMES > SUBSCRIPTIONS
    for block in SHELL[1:]:
        assert not re.search(rf"\$({'|'.join(ALL_NAMES)}|TABLE|DEAD_FORWARDED)\b", block), block


def test_a_stack_has_one_name_on_every_page() -> None:
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8"), "sh"):
            assert "STACK_NAME" not in block, path.name


# --- The functions.


def test_look_up_finds_every_name(shell: Shell) -> None:
    done = shell("look_up Seller && echo " + " ".join(f'"{name}=${name}"' for name in sorted(NAMES)))

    assert (done.returncode, done.stderr) == (0, "")
    found = dict(pair.split("=", 1) for pair in done.stdout.split())
    assert found.pop("URL") == "https://api.example.com"
    assert found.keys() == NAMES - {"URL"}
    assert all(name.startswith("Registration") and name.endswith("-name") for name in found.values())


def test_look_up_says_what_it_did_not_find_and_leaves_nothing_of_another_stack(shell: Shell) -> None:
    done = shell('look_up Seller; look_up Other; echo "code=$? role=[$ROLE] url=[$URL]"')

    assert done.stdout == "code=1 role=[] url=[]\n"
    assert "no AWS::Lambda::Function" in done.stderr
    assert "in stack Other" in done.stderr


def test_look_up_takes_the_construct_id(shell: Shell) -> None:
    done = shell("look_up Seller ShopRegistration")

    assert done.returncode == 1
    assert "begins with ShopRegistrationResolverFunction" in done.stderr


def test_look_up_without_a_stack_says_how_to_use_it(shell: Shell) -> None:
    done = shell("look_up")

    assert (done.returncode, done.stderr) == (1, "usage: look_up STACK [ID]\n")


def test_look_up_asks_for_the_url_of_a_custom_domain(shell: Shell) -> None:
    shell.state["domain"] = True

    done = shell('look_up Seller; echo "[$URL][$RESOLVER]"')

    assert "URL=https://your.domain" in done.stderr
    assert done.stdout.startswith("[][Registration")


def test_look_up_asks_for_the_name_of_a_table_of_ones_own(shell: Shell) -> None:
    shell.state["resources"] = {
        name: kind for name, kind in shell.state["resources"].items() if "StoreRegistrations" not in name
    }

    done = shell('look_up Seller; echo "[$REGISTRATIONS][$URL]"')

    assert "REGISTRATIONS=its-name" in done.stderr
    assert done.stdout == "[][https://api.example.com]\n"


def test_look_up_subscriptions_finds_every_name_and_leads_to_their_alarms(shell: Shell) -> None:
    echo = " ".join(f'"{name}=${name}"' for name in sorted(SUBSCRIPTIONS))

    done = shell(f"look_up Seller; look_up_subscriptions Seller && echo {echo}; fire EventsDead")

    assert (done.returncode, done.stderr) == (0, "")
    found = dict(pair.split("=", 1) for pair in done.stdout.split())
    assert found.keys() == SUBSCRIPTIONS
    assert all(name.startswith("Subscriptions") and name.endswith("-name") for name in found.values())
    (fired,) = shell.calls("set-alarm-state")
    assert fired["--alarm-name"].startswith("SubscriptionsAlarmsEventsDead")


def test_look_up_subscriptions_says_what_it_did_not_find_and_how_to_use_it(shell: Shell) -> None:
    done = shell('look_up_subscriptions Seller; look_up_subscriptions Seller Mine; echo "code=$? [$SUBSCRIBER]"')

    assert done.stdout == "code=1 []\n"
    assert "begins with MineSubscriberFunction" in done.stderr
    assert shell("look_up_subscriptions").stderr == "usage: look_up_subscriptions STACK [ID]\n"


def test_look_up_subscriptions_works_without_reconciliation(shell: Shell) -> None:
    resources = shell.state["resources"]
    shell.state["resources"] = {name: kind for name, kind in resources.items() if "Reconciler" not in name}

    done = shell('look_up_subscriptions Seller; echo "code=$? [$RULE][$RECONCILER]"')

    assert re.fullmatch(r"code=0 \[SubscriptionsRule\w+-name\]\[\]\n", done.stdout)
    assert done.stderr.endswith("\nwith reconciliation=False, that is as it should be\n")


def test_messages_are_shown_with_eventbridges_error(shell: Shell) -> None:
    error = {"ERROR_CODE": {"StringValue": "NO_PERMISSIONS", "DataType": "String"}}
    shell.state["messages"] = [{"MessageId": "1", "Body": "{}", "ReceiptHandle": "r", "MessageAttributes": error}]

    done = shell("messages some-queue; messages some-queue")

    assert json.loads(done.stdout) == {"MessageId": "1", "Body": "{}", "why": {"ERROR_CODE": "NO_PERMISSIONS"}}
    assert not shell.calls("delete-message")


def test_a_redrive_names_where_the_messages_go(shell: Shell) -> None:
    shell("redrive dead queue")

    (move,) = shell.calls("start-message-move-task")
    assert move == {"--source-arn": "arn:dead", "--destination-arn": "arn:queue"}


STREAM = "arn:aws:dynamodb:us-east-1:111122223333:table/buyers/stream/1"


def discarded(first: str, size: int) -> dict[str, str]:
    batch = {"streamArn": STREAM, "shardId": "shard-1", "startSequenceNumber": first, "batchSize": size}
    return {"Body": json.dumps({"version": "1.0", "DDBStreamBatchInfo": batch}), "ReceiptHandle": f"receipt-{first}"}


def test_discarded_changes_are_published_as_the_stream_would_have_delivered_them(shell: Shell) -> None:
    shell.state["messages"] = [discarded("100", 1), discarded("200", 2)]
    shell.state["records"] = [{"eventID": "1", "dynamodb": {"Keys": {}}}, {"eventID": "2", "dynamodb": {"Keys": {}}}]

    done = shell("republish dead publisher")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("published: ") == 2
    assert [call["--sequence-number"] for call in shell.calls("get-shard-iterator")] == ["100", "200"]
    assert [call["--shard-id"] for call in shell.calls("get-shard-iterator")] == ["shard-1"] * 2
    assert [call["--function-name"] for call in shell.calls("invoke")] == ["publisher"] * 2
    assert [record["eventSourceARN"] for record in shell.payloads()[-1]["Records"]] == [STREAM] * 2
    assert [call["--receipt-handle"] for call in shell.calls("delete-message")] == ["receipt-100", "receipt-200"]


@pytest.mark.parametrize(
    "state",
    [
        {"responses": [{"batchItemFailures": [{"itemIdentifier": "100"}]}]},
        {"responses": [{"errorType": "KeyError"}]},
        {"trimmed": True},
    ],
    ids=["failed-again", "error", "too-late"],
)
def test_a_change_that_is_not_published_stays_where_it_is(shell: Shell, state: dict[str, Any]) -> None:
    shell.state |= {"messages": [discarded("100", 1), discarded("200", 1)], "records": [{"eventID": "1"}], **state}

    done = shell("republish dead publisher")

    assert done.returncode == 1
    assert done.stderr
    assert not shell.calls("delete-message")
    assert len(shell.calls("receive-message")) == 1


DONE = {"outcome": "finished", "missed": 2}


def test_a_backfill_goes_on_where_the_time_was_up_until_there_is_no_position(shell: Shell) -> None:
    positions = [{"pass": "updated", "after": "it's 1"}, {"pass": "known"}]
    shell.state["responses"] = [*({"outcome": "unfinished", "position": each} for each in positions), DONE]

    done = shell("backfill reconciler 2025-01-01T00:00:00Z")

    assert (done.returncode, done.stderr) == (0, "")
    assert shell.payloads() == [{"since": "2025-01-01T00:00:00Z"}, *({"position": each} for each in positions)]
    assert [json.loads(line).get("missed") for line in done.stdout.splitlines()] == [None, None, 2]
    for options in shell.calls("invoke"):
        assert (options["--function-name"], options["--payload"]) == ("reconciler", "fileb:///dev/stdin")
        # A run takes up to a quarter of an hour.
        assert options["--cli-read-timeout"] == "0"


def test_a_backfill_teaches_product_codes(shell: Shell) -> None:
    shell.state["responses"] = [DONE]

    shell("""backfill reconciler 2025-01-01T00:00:00Z '{"prod-1": "code"}'""")

    assert shell.payloads() == [{"since": "2025-01-01T00:00:00Z", "products": {"prod-1": "code"}}]


def test_a_backfill_without_json_asks_for_nothing(shell: Shell) -> None:
    assert shell("backfill reconciler 2025-01-01T00:00:00Z prod-1").returncode
    assert not shell.calls("invoke")


@pytest.mark.parametrize(
    "response",
    [
        {"errorType": "KeyError"},
        {"outcome": "request_invalid", "reason": "SinceInvalid"},
        {"outcome": "incomplete", "failed": 1, "position": "where a search failed"},
    ],
    ids=["error", "invalid", "incomplete"],
)
def test_a_backfill_that_failed_is_not_repeated(shell: Shell, response: dict[str, Any]) -> None:
    shell.state["responses"] = [response]

    done = shell("backfill reconciler 2025-01-01T00:00:00Z")

    assert (done.returncode, done.stderr) == (1, "not finished, see the log of the reconciler\n")
    assert json.loads(done.stdout) == response
    assert len(shell.payloads()) == 1


def test_a_query_waits_until_it_is_complete(shell: Shell) -> None:
    shell.state["statuses"] = ["Scheduled", "Running", "Running", "Complete"]
    shell.state["results"] = [
        [{"field": "outcome", "value": "claimed"}, {"field": "@ptr", "value": "x"}],
        [{"field": "outcome", "value": "quoted \\n"}],
    ]

    done = shell('look_up Seller; query "$RESOLVER_LOG" "filter x"')

    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"outcome": "claimed"},
        {"outcome": "quoted \\n"},
    ]
    assert done.stderr == "2 rows\n"
    assert len(shell.calls("get-query-results")) == 4
    (started,) = shell.calls("start-query")
    assert started["--query-string"] == "filter x"
    assert started["--log-group-name"].startswith("RegistrationResolverLog")


@pytest.mark.parametrize(("argument", "hours"), [("", 24), ("1", 1), ("168", 168)])
def test_a_query_takes_the_hours(shell: Shell, argument: str, hours: int) -> None:
    shell(f"query some-log 'filter x' {argument}")

    (started,) = shell.calls("start-query")
    assert int(started["--end-time"]) - int(started["--start-time"]) in {hours * 3600, hours * 3600 + 1}
    assert abs(int(started["--end-time"]) - time.time()) < 60


@pytest.mark.parametrize("status", ["Failed", "Timeout", "Unknown"])
def test_a_query_that_failed_is_not_an_empty_result(shell: Shell, status: str) -> None:
    shell.state["statuses"] = ["Running", status]

    done = shell("query some-log 'filter x'")

    assert done.returncode == 1
    assert done.stdout == ""
    assert status in done.stderr


def saved(name: str, log_group: str, query: str) -> dict[str, Any]:
    return {"name": f"MarketplaceRegistration/{name}", "logGroupNames": [log_group], "queryString": query}


def test_lost_buyers_are_looked_for_by_the_query_that_is_saved_for_the_log(shell: Shell) -> None:
    shell.state["saved"] = [
        saved("Other/Dashboard/LostBuyers", "reconciler-log", "of another stack"),
        saved("Seller/Dashboard/LostBuyers", "resolver-log", "filter 1"),
        saved("Seller/Subscriptions/LostBuyers", "reconciler-log", "filter 'it'\n| limit \"2\""),
        saved("Seller/Again/LostBuyers", "reconciler-log", "saved twice"),
    ]

    done = shell("look_up Seller; lost_buyers reconciler-log 168")

    assert (done.returncode, done.stderr) == (0, "0 rows\n")
    (started,) = shell.calls("start-query")
    assert started["--log-group-name"] == "reconciler-log"
    assert started["--query-string"] == "filter 'it'\n| limit \"2\""
    assert int(started["--end-time"]) - int(started["--start-time"]) in {168 * 3600, 168 * 3600 + 1}


def test_lost_buyers_without_a_saved_query_are_not_looked_for(shell: Shell) -> None:
    done = shell("look_up Seller; lost_buyers some-log")

    assert (done.returncode, done.stderr) == (1, "stack Seller has no saved query of some-log\n")
    assert not shell.calls("start-query")


CONTACT = {"firstName": "Ada", "lastName": "O'Brien", "emailAddress": "ada@example.com", "companyName": "Ä"}


@pytest.mark.parametrize(("argument", "region"), [("", "us-east-1"), ("eusc-de-east-1", "eusc-de-east-1")])
def test_a_contact_is_shown(shell: Shell, argument: str, region: str) -> None:
    shell.state["contacts"] = {"agmt-1": {"acceptorContact": CONTACT}}

    done = shell(f"contact agmt-1 {argument}")

    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, "", CONTACT)
    assert shell.calls("get-agreement-contacts") == [
        {"--region": region, "--agreement-id": "agmt-1", "--output": "json"}
    ]


def test_a_buyer_without_a_contact_is_told_from_a_failure(shell: Shell) -> None:
    shell.state["contacts"] = {"agmt-1": {}}

    none, unknown = shell("contact agmt-1"), shell("contact agmt-2")

    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr == "no contact: the buyer gave none, or the agreement is not active\n"
    assert (unknown.returncode, unknown.stdout, unknown.stderr) == (1, "", "ResourceNotFoundException\n")


@pytest.mark.parametrize(
    "line",
    [
        'query "" "filter x"',
        'lost_buyers ""',
        'contact ""',
        'log_line "" "{}"',
        "log_line some-log",
        "query some-log",
        'messages ""',
        'redrive "" queue',
        "redrive dead",
        "backfill reconciler",
        'backfill "" 2025-01-01T00:00:00Z',
        "republish dead",
        'republish "" publisher',
    ],
)
def test_an_empty_argument_is_complained_of(shell: Shell, line: str) -> None:
    done = shell(line)

    assert done.returncode == 1
    assert done.stderr.startswith("usage: ")
    called = ("start-query", "put-log-events", "receive-message", "invoke", "get-agreement-contacts")
    assert [name for name in called if shell.calls(name)] == []


def test_fire_sets_one_alarm(shell: Shell) -> None:
    done = shell("look_up Seller; fire StoreUnavailable")

    assert done.returncode == 0
    (fired,) = shell.calls("set-alarm-state")
    assert fired["--alarm-name"].startswith("RegistrationAlarmsStoreUnavailable")


@pytest.mark.parametrize(("name", "message"), [("", "more than one"), ("Nope", "no AWS::CloudWatch::Alarm")])
def test_fire_says_which_alarm_it_did_not_find(shell: Shell, name: str, message: str) -> None:
    done = shell(f'look_up Seller; fire "{name}"')

    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert not shell.calls("set-alarm-state")


def test_a_log_line_is_an_event_of_now(shell: Shell) -> None:
    done = shell("""log_line some-log '{"outcome":"x"}'""")

    assert done.returncode == 0
    (written,) = shell.calls("put-log-events")
    (event,) = json.loads(written["--log-events"])
    assert event["message"] == '{"outcome":"x"}'
    assert abs(event["timestamp"] / 1000 - time.time()) < 60


@pytest.mark.parametrize("block", [block for block in SHELL[2:] if "${" in block])
def test_a_test_of_an_alarm_does_nothing_without_names(shell: Shell, block: str) -> None:
    first = next(line for line in block.splitlines() if "${" in line)
    name = re.findall(r"\$\{(\w+):\?\}", first)[0]

    done = shell(block)

    assert f"{name}: parameter null or not set" in done.stderr
    assert not (shell.calls("put-role-policy") + shell.calls("update-table") + shell.calls("invoke"))


# --- Reasons.

CALLS = {
    "meteringmarketplace": ["ResolveCustomer"],
    "sts": ["AssumeRole"],
    "dynamodb": ["PutItem", "UpdateItem", "GetItem"],
}
# Every AWS service may return these, whether its model has them or not.
COMMON = {"AccessDeniedException", "ValidationException", "UnrecognizedClientException", "InternalFailure"}


def modeled() -> Iterator[str]:
    session = Session()
    for service, operations in CALLS.items():
        model = session.get_service_model(service)
        for operation in operations:
            for shape in model.operation_model(operation).error_shapes:
                yield shape.metadata.get("error", {}).get("code", shape.name)


def network_errors() -> Iterator[str]:
    def below(error: type[Exception]) -> Iterator[type[Exception]]:
        yield error
        for subclass in error.__subclasses__():
            if subclass.__module__ == "botocore.exceptions":
                yield from below(subclass)

    for error in (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError):
        yield from (kind.__name__ for kind in below(error))


def retried() -> set[str]:
    throttling: list[str] = vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    transient: list[str] = vars(standard.TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"]
    return {*throttling, *transient}


def own() -> Iterator[str]:
    """Yield the reasons that the function's sources name themselves."""
    for path in sorted((ROOT / "lambda_src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(reason))]) if name in RAISED:
                    yield reason


RAISED = {
    "CallFailedError",
    "MarketplaceDeniedError",
    "MarketplaceThrottledError",
    "MarketplaceUnavailableError",
    "StoreUnavailableError",
}


@pytest.mark.parametrize("reasons", [modeled, network_errors, retried, own, lambda: COMMON])
def test_the_runbook_lists_every_reason(reasons: Callable[[], Any]) -> None:
    (table,) = re.findall(r"^## Reasons\n(.+?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    listed = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }

    expected = set(reasons())

    assert expected
    assert expected - listed == set()
