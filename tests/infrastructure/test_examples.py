"""The examples: synthesized as a reader would, checked as the construct is, and their functions called."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import threading
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, cast

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template
from botocore.credentials import Credentials
from syrupy.extensions.json import JSONSnapshotExtension

from examples.claiming_backend import app as claiming_backend
from examples.claiming_backend import outside_aws
from examples.claiming_backend.backend.handler import ClaimRejectedError, ClaimUnavailableError, claim
from examples.claiming_backend.backend.handler import handler as claiming_handler
from examples.publishing_account import app as publishing_account
from examples.reacting import app as reacting
from examples.reacting.reactor.handler import react
from examples.smallest import app as smallest
from examples.tested import app as tested
from examples.two_products import app as two_products
from tests.infrastructure.checks import cfn_lint_findings, masked, synthesize_with_cdk_nag
from tests.infrastructure.stacks import minimal
from tests.infrastructure.template_difference import difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from syrupy.assertion import SnapshotAssertion

ROOT = Path(__file__).parents[2]
EXAMPLES: dict[str, Callable[[App], None]] = {
    "claiming_backend": claiming_backend.build,
    "publishing_account": publishing_account.build,
    "reacting": reacting.build,
    "smallest": smallest.build,
    "tested": tested.build,
    "two_products": two_products.build,
}

EACH = pytest.mark.parametrize("name", EXAMPLES)

REGISTRATION = {"CustomerAWSAccountId": "111122223333", "ProductCode": "a290sds6en72spp3ph4q890es"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "session"}
REGION = "eu-west-1"


@cache
def templates(name: str) -> dict[str, Any]:
    app = App()
    EXAMPLES[name](app)
    return {stack.stack_name: stack.template for stack in app.synth().stacks}


def test_every_example_is_tested() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders == set(EXAMPLES)


def from_minimal(stack_name: str, template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the difference to the minimal stack, or to nothing if the stack has no registration construct."""
    registers = any(resource["Type"] == "AWS::ApiGatewayV2::Api" for resource in template["Resources"].values())
    # Under the same name, which some logical ids contain.
    base = Template.from_stack(minimal(App(), stack_name)).to_json() if registers else {}
    return difference(masked(base), masked(template))


@EACH
def test_an_example_differs_from_the_minimal_stack_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    differences = {stack_name: from_minimal(stack_name, template) for stack_name, template in templates(name).items()}

    assert differences == snapshot(extension_class=JSONSnapshotExtension)


@EACH
def test_the_app_makes_the_same_templates_when_it_is_run(name: str) -> None:
    app: App = runpy.run_path(str(ROOT / "examples" / name / "app.py"), run_name="__main__")["app"]

    assert {stack.stack_name: stack.template for stack in app.synth().stacks} == templates(name)


@EACH
def test_cdk_nag_reports_no_unacknowledged_finding(name: str, tmp_path: Path) -> None:
    synthesize_with_cdk_nag(EXAMPLES[name], tmp_path)


@EACH
def test_cfn_lint_reports_no_finding(name: str) -> None:
    assert [finding for template in templates(name).values() for finding in cfn_lint_findings(template)] == []


def test_the_tests_of_an_example_pass() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/tested"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert re.search(r"^7 passed", run.stdout, re.MULTILINE)


class ClaimUrl(TCPServer):
    """The construct's ``claim_url`` on loopback, which gives the prepared responses in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ClaimHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/claim"
        self.responses: list[tuple[int, object]] = []
        self.requests: list[tuple[Mapping[str, str], object]] = []


class _ClaimHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast("ClaimUrl", self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append((dict(self.headers), body))
        status, response = server.responses.pop(0)
        if not status:
            return  # the connection closes without a response
        content = json.dumps(response).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if response else content[:-1])  # an empty response is truncated

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def claim_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClaimUrl]:
    with ClaimUrl() as server:
        # The machine's proxy must not see requests to loopback.
        for name, value in {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "CLAIM_URL": server.url,
            "no_proxy": "*",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def post(code: str) -> dict[str, Any]:
    return claiming_handler({"body": json.dumps({"registration_code": code})}, None)


def test_the_backend_claims_with_a_signature(claim_url: ClaimUrl) -> None:
    claim_url.responses = [(200, REGISTRATION)]

    response = post("code")

    assert response["statusCode"] == HTTPStatus.OK
    assert REGISTRATION["CustomerAWSAccountId"] in response["body"]
    ((headers, body),) = claim_url.requests
    assert body == {"registration_code": "code"}
    assert re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=test/\d{8}/eu-west-1/execute-api/aws4_request, "
        r"SignedHeaders=content-type;host;idempotency-key;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}",
        headers["Authorization"],
    )


@pytest.mark.parametrize("first", [0, 200, 429, 503])
def test_the_backend_retries_as_the_same_claimant(claim_url: ClaimUrl, first: int) -> None:
    claim_url.responses = [(first, {}), (200, REGISTRATION)]

    assert post("code")["statusCode"] == HTTPStatus.OK
    one, two = (
        {name.lower(): value for name, value in headers.items()}["idempotency-key"] for headers, _ in claim_url.requests
    )
    assert one == two


@pytest.mark.parametrize(("responses", "status"), [([(404, {})], 404), ([(503, {}), (503, {})], 503)])
def test_the_backend_tells_the_buyer_what_to_do(
    claim_url: ClaimUrl, responses: list[tuple[int, object]], status: int
) -> None:
    claim_url.responses = responses

    assert post("code")["statusCode"] == status
    assert claim_url.responses == []


def test_a_backend_without_the_grant_raises(claim_url: ClaimUrl) -> None:
    claim_url.responses = [(403, {})]

    with pytest.raises(OSError, match="403"):
        post("code")


@pytest.mark.parametrize(("status", "error"), [(404, ClaimRejectedError), (503, ClaimUnavailableError)])
def test_a_failed_claim_raises_its_reason(claim_url: ClaimUrl, status: int, error: type[Exception]) -> None:
    claim_url.responses = [(status, {})] * 2

    with pytest.raises(error):
        claim(claim_url.url, "code", credentials=Credentials("test", "test"), region=REGION)


def test_the_backend_outside_aws_prints_the_registration(
    claim_url: ClaimUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    claim_url.responses = [(200, REGISTRATION)]

    outside_aws.main(claim_url.url, "code")

    assert json.loads(capsys.readouterr().out) == REGISTRATION


@pytest.mark.parametrize(("status", "message"), [(404, "unknown, used or expired"), (503, "does not respond")])
def test_the_backend_outside_aws_exits_with_a_message(claim_url: ClaimUrl, status: int, message: str) -> None:
    claim_url.responses = [(status, {})] * 2

    with pytest.raises(SystemExit, match=message):
        outside_aws.main(claim_url.url, "code")


REGISTERED = {
    "CustomerAWSAccountId": {"S": "111122223333"},
    "ProductCode": {"S": "a290sds6en72spp3ph4q890es"},
    "RegisteredAt": {"S": "2026-11-23T01:29:04.559756+00:00"},
}
FROM_AN_EVENT = {"CustomerAWSAccountId": {"S": "111122223333"}, "EntitledUntil": {"S": "2027"}}


def test_the_reactor_publishes_each_new_buyer() -> None:
    messages: list[str] = []

    react([{"dynamodb": {"NewImage": REGISTERED}}] * 2, publish=messages.append)

    message = (
        "AWS account 111122223333 registered for a290sds6en72spp3ph4q890es. "
        "Do not grant access before its License Updated event."
    )
    assert messages == [message] * 2


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({"NewImage": REGISTERED}, True),
        ({"OldImage": FROM_AN_EVENT, "NewImage": {**FROM_AN_EVENT, **REGISTERED}}, True),
        ({"OldImage": REGISTERED, "NewImage": REGISTERED}, False),
        ({"NewImage": FROM_AN_EVENT}, False),
        ({"OldImage": FROM_AN_EVENT, "NewImage": FROM_AN_EVENT}, False),
        ({"OldImage": REGISTERED}, False),
    ],
    ids=["new", "new-after-event", "again", "event-first", "event-again", "deleted"],
)
def test_the_filter_passes_new_registrations_only(images: Mapping[str, object], *, expected: bool) -> None:
    resources = templates("reacting")["Reacting"]["Resources"].values()
    (source,) = (r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::EventSourceMapping")
    (pattern,) = (json.loads(f["Pattern"]) for f in source["FilterCriteria"]["Filters"])

    assert matches(pattern, {"dynamodb": images}) is expected


def matches(pattern: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Match as Lambda does, for the example's patterns: ``exists`` of a leaf, even below an absent member."""
    for name, rule in pattern.items():
        if isinstance(rule, dict):
            if not matches(rule, record.get(name, {})):
                return False
        elif rule != [{"exists": name in record}]:
            return False
    return True
