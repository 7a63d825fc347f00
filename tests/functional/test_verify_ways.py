"""How the program that checks a real account reaches it: over HTTPS, and by the CDK's command line."""

from __future__ import annotations

import json
import os
import ssl
import stat
import sys
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import Credentials

from constructs_lib.testing._loopback_server import LoopbackServer
from constructs_lib.verify import _cdk
from constructs_lib.verify._cdk import Cdk, CdkError
from constructs_lib.verify._http import Http, Response, signed
from local.local_aws import write_certificate
from tests.signatures import is_valid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREDENTIALS = Credentials("key", "secret", "token")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.command, self.path, dict(self.headers.items()), body))
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b'{"outcome": "claim_refused"}')

    do_GET = do_POST = _respond  # noqa: N815 - the server's own names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(LoopbackServer):
    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(Handler)
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    write_certificate(tmp_path / "server.crt", tmp_path / "server.key")
    return tmp_path / "server.crt"


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    server = Server(certificate, certificate.with_name("server.key"))
    server.start()
    yield server
    server.stop()


def test_a_response_is_what_it_is(server: Server, certificate: Path) -> None:
    url = f"https://127.0.0.1:{server.server_address[1]}/claim"

    response = Http(str(certificate)).send("GET", url, headers={"Accept": "text/html"})

    assert (response.status, response.outcome) == (404, "claim_refused")
    ((method, path, headers, body),) = server.received
    assert (method, path, headers["Accept"], body) == ("GET", "/claim", "text/html", b"")


def test_a_request_goes_to_another_host_under_the_name_of_the_url(server: Server, certificate: Path) -> None:
    # The certificate is valid for it; what it resolves to does not matter.
    url = f"https://localhost:{server.server_address[1]}/claim"
    headers = signed(url, b"{}", credentials=CREDENTIALS, region="eu-west-1")

    Http(str(certificate)).send("POST", url, headers=headers, body=b"{}", connect_to="127.0.0.1")

    ((_, _, received, body),) = server.received
    small = {name.lower(): value for name, value in received.items()}
    assert small["host"] == f"localhost:{server.server_address[1]}"
    assert is_valid(small, method="POST", url=url, body=body, credentials=CREDENTIALS, region="eu-west-1")


def test_a_certificate_that_is_not_trusted_is_an_error(server: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Http(None).send("GET", f"https://127.0.0.1:{server.server_address[1]}/")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"outcome": "token_invalid"}', "400 token_invalid"),
        ('{"message": "Forbidden"}', '400 \'{"message": "Forbidden"}\''),
        ("<html>", "400 '<html>'"),
        ("[]", "400 '[]'"),
    ],
)
def test_a_response_is_shown_in_short(body: str, shown: str) -> None:
    assert str(Response(400, body)) == shown


COMMAND = """\
#!{python}
import json, os, pathlib, sys, time
options = sys.argv[1:]
pathlib.Path("received.json").write_text(json.dumps([options, dict(os.environ)]))
if os.environ.get("SLOW"):
    time.sleep(60)
pathlib.Path(options[options.index("--outputs-file") + 1]).write_text('{{"run-main": {{"ApiId": "api"}}}}')
print("what the CDK prints")
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture
def cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cdk:
    """The command line, as far as it is used here, first on the PATH."""
    command = tmp_path / "bin" / "cdk"
    command.parent.mkdir()
    command.write_text(COMMAND.format(python=sys.executable))
    command.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", os.pathsep.join([str(command.parent), os.environ["PATH"]]))
    monkeypatch.setenv("AWS_PROFILE", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "another")
    return Cdk(
        tmp_path,
        name="mr-verify-0123abcd",
        context={"name": "mr-verify-0123abcd"},
        region="eu-west-1",
        credentials=lambda: ("key", "secret", ""),
    )


def test_the_stacks_are_deployed_with_the_credentials_that_were_checked_and_no_others(cdk: Cdk) -> None:
    outputs = cdk.deploy(released="true")

    assert outputs == {"run-main": {"ApiId": "api"}}
    options, environment = json.loads((cdk.folder / "received.json").read_text())
    assert options[:2] == ["deploy", "--all"]
    assert options[options.index("--tags") + 1] == "marketplace-registration-verify=mr-verify-0123abcd"
    assert [options[at + 1] for at, option in enumerate(options) if option == "--context"] == [
        "name=mr-verify-0123abcd",
        "released=true",
    ]
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    assert [environment[name] for name in names] == ["key", "secret", "eu-west-1"]
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environment.keys()
    assert (cdk.folder / "cdk.log").read_text() == "what the CDK prints\n"


def test_a_command_that_fails_says_what_it_printed_last(cdk: Cdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUS", "1")

    with pytest.raises(CdkError, match="cdk deploy failed with 1: … what the CDK prints"):
        cdk.deploy()


def test_a_command_that_takes_too_long_is_ended(cdk: Cdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW", "1")
    monkeypatch.setattr(_cdk, "_SECONDS", 0.5)

    with pytest.raises(CdkError, match="cdk deploy was not finished"):
        cdk.deploy()


def test_without_the_command_line_it_says_what_to_install(cdk: Cdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cdk.folder))

    with pytest.raises(CdkError, match="npm install aws-cdk"):
        cdk.deploy()
