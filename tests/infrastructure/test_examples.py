"""The examples: synthesized as a reader would, checked as the construct is, and their functions called."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template
from botocore.credentials import Credentials
from syrupy.extensions.json import JSONSnapshotExtension

from constructs_lib.testing import ClaimStandIn, MarketplaceCustomer
from examples.claiming_backend import app as claiming_backend
from examples.product_in_another_account import app as product_in_another_account
from examples.provisioning import app as provisioning
from examples.publishing_account import app as publishing_account
from examples.reacting import app as reacting
from examples.reacting.reactor.handler import react
from examples.smallest import app as smallest
from examples.tested import app as tested
from examples.two_products import app as two_products
from tests.infrastructure.checks import cfn_lint_findings, masked, synthesize_with_cdk_nag
from tests.infrastructure.stacks import minimal
from tests.infrastructure.template_difference import difference
from tests.signatures import is_valid, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from syrupy.assertion import SnapshotAssertion

ROOT = Path(__file__).parents[2]
EXAMPLES: dict[str, Callable[[App], None]] = {
    "claiming_backend": claiming_backend.build,
    "product_in_another_account": product_in_another_account.build,
    "provisioning": provisioning.build,
    "publishing_account": publishing_account.build,
    "reacting": reacting.build,
    "smallest": smallest.build,
    "tested": tested.build,
    "two_products": two_products.build,
}

EACH = pytest.mark.parametrize("name", EXAMPLES)

CUSTOMER = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "session"}
REGION = "eu-west-1"
PLUGIN = "constructs_lib.testing.pytest_plugin"


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
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", PLUGIN, "examples/tested"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert re.search(r"^11 passed", run.stdout, re.MULTILINE)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClaimStandIn]:
    with ClaimStandIn(region=REGION) as stand_in:
        for name, value in {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "CLAIM_URL": stand_in.claim_url,
            # The machine's proxy must not see requests to loopback.
            "no_proxy": "*",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield stand_in


def backend(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module that reads the environment as it is imported."""
    monkeypatch.delitem(sys.modules, name, raising=False)
    return import_module(name)


def sign_up(claims: ClaimStandIn, code: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Sign up at the Lambda function."""
    module = backend("examples.claiming_backend.backend.handler", monkeypatch)
    with module.claims:
        response = module.handler({"body": json.dumps({"registration_code": code})}, None)
    assert claims.calls
    return response["statusCode"], json.loads(response["body"])["message"]


def test_the_function_signs_a_buyer_up(claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    claims.throttle()
    status, message = sign_up(claims, claims.mint(CUSTOMER), monkeypatch)

    assert status == 200
    assert CUSTOMER.customer_aws_account_id in message


def test_the_function_tells_the_buyer_what_to_do(
    claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = claims.mint(CUSTOMER)
    claims.deny()

    assert sign_up(claims, code, monkeypatch)[0] == 503
    assert sign_up(claims, "x" * 43, monkeypatch)[0] == 404
    printed = capsys.readouterr().out
    assert "ClaimDeniedError" in printed
    assert code not in printed


def test_the_functions_code_has_the_claim_client_and_no_more_of_the_library(tmp_path: Path) -> None:
    claiming_backend.write_code(tmp_path)

    script = "import handler, sys; assert not {'aws_cdk', 'boto3', 'constructs_lib.testing'} & {*sys.modules}"
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "CLAIM_URL": "https://abc.execute-api.eu-west-1.amazonaws.com/claim",
        },
        check=True,
    )
    assert {path.name for path in (tmp_path / "constructs_lib").iterdir()} == {"claims"}


def browse(app: Any, url: str, cookie: str = "") -> tuple[int, dict[str, str], str]:
    """Send a request to an ASGI app."""
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())],
        "extensions": {},
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent).decode()


def test_the_web_app_claims_and_removes_the_code_from_the_url(
    claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = backend("examples.claiming_backend.web", monkeypatch)
    with module.claims:
        status, headers, _ = browse(module.app, f"/signup?registration_code={claims.mint(CUSTOMER)}")

        assert (status, headers["location"]) == (303, "/signup")
        cookie, _, attributes = headers["set-cookie"].partition(";")
        assert {"HttpOnly", "Secure", "SameSite=lax"} <= {part.strip() for part in attributes.split(";")}
        assert CUSTOMER.customer_aws_account_id in browse(module.app, "/signup", cookie)[2]
        assert "AWS Marketplace" in browse(module.app, "/signup")[2]


def test_the_web_app_tells_the_buyer_what_to_do(
    claims: ClaimStandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = backend("examples.claiming_backend.web", monkeypatch)
    code = claims.mint(CUSTOMER)
    claims.deny()
    with module.claims:
        assert browse(module.app, f"/signup?registration_code={code}")[0] == 503
        assert browse(module.app, f"/signup?registration_code={code}")[0] == 303
        assert browse(module.app, f"/signup?registration_code={code}")[0] == 404

    assert "ClaimDeniedError" in caplog.text
    assert code not in caplog.text


CLAIMING_PROGRAMS = {
    "curl": ["sh", "examples/claiming_backend/claim.sh"],
    "node": [os.environ["JSII_NODE"], "examples/claiming_backend/claim.mjs"],
}


def run_program(name: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        CLAIMING_PROGRAMS[name], cwd=ROOT, input=f"{code}\n", capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", CLAIMING_PROGRAMS)
def test_a_program_claims_once_as_one_claimant(claims: ClaimStandIn, name: str) -> None:
    code = claims.mint(CUSTOMER)
    claims.throttle()

    first, second = run_program(name, code), run_program(name, code)

    assert json.loads(first.stdout)["LicenseArn"] == CUSTOMER.license_arn, first
    assert first.returncode == 0
    assert [call.status for call in claims.calls] == [429, 200, 404]
    one, same, another = (call.idempotency_key for call in claims.calls)
    assert one == same != another
    assert second.returncode != 0
    assert second.stdout == ""
    assert code not in first.stderr + second.stderr


class Recorder(BaseHTTPRequestHandler):
    """Keeps the headers and the body of each request."""

    requests: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.mark.usefixtures("claims")
@pytest.mark.parametrize("token", ["to+/k==en", ""])
@pytest.mark.parametrize("name", CLAIMING_PROGRAMS)
def test_a_programs_signature_is_valid(name: str, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder.requests.clear()
    with TCPServer(("127.0.0.1", 0), Recorder) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/base/claim"
        monkeypatch.setenv("CLAIM_URL", url)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sec/+ret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert run_program(name, "x" * 43).returncode == 0
        thread.join()

    ((headers, body),) = Recorder.requests
    assert json.loads(body) == {"registration_code": "x" * 43}
    assert ("x-amz-security-token" in signed_headers(headers)) == bool(token)
    assert is_valid(
        headers,
        method="POST",
        url=url,
        body=body,
        credentials=Credentials("test", "sec/+ret", token or None),
        region=REGION,
    )


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
