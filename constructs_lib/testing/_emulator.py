"""An AWS emulator on loopback that accepts a real `cdk deploy` and enforces role policies.

The emulator, its Lambdas and the CDK command line see nothing of the machine's own AWS configuration. They write only
to the caller's folder, except for the CDK's caches: those stay in the home folder, because unpacking them takes longer
than everything else.
"""

import contextlib
import datetime as dt
import http.client
import ipaddress
import json
import os
import shlex
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import botocore.session
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from constructs_lib.testing import _cdk_cli
from constructs_lib.testing.local_aws_error import LocalAwsError

ACCOUNT = "000000000000"
REGION = "us-east-1"

_LAMBDA_LOGGING = Path(__file__).with_name("_lambda_logging.py")
_HOST = "127.0.0.1"
_START_SECONDS = 30

# The pipe ends with this process, however it ends, and then so does the server. The group includes the Lambdas.
# The emulator rejects a saved query of CloudWatch Logs, which every dashboard here comes with; it is accepted instead,
# and kept nowhere.
_SERVE = """
import os, pathlib, signal, sys, threading, uuid
from hypercorn.__main__ import main
from ministack.core import lambda_runtime
from ministack.services.cloudformation import provisioners

lambda_runtime._PYTHON_WORKER_SCRIPT = (
    pathlib.Path(sys.argv.pop(1)).read_text(encoding="utf-8") + lambda_runtime._PYTHON_WORKER_SCRIPT
)

provisioners._RESOURCE_HANDLERS.setdefault("AWS::Logs::QueryDefinition", {
    "create": lambda logical_id, properties, stack: (str(uuid.uuid4()), {}),
    "update": lambda physical_id, old, new, stack: (physical_id, {}),
    "delete": lambda physical_id, properties: None,
})

def watch():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=watch, daemon=True).start()
sys.exit(main())
"""

_NO_PROFILE = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}


class PortError(LocalAwsError):
    """A port cannot be listened on; the message names it."""


@contextlib.contextmanager
def named_port(port: int) -> Iterator[None]:
    """Name the port in the error if the block cannot listen on it.

    Raises:
        PortError: the port is in use, or this user may not use it.
    """
    try:
        yield
    except OSError as error:
        raise PortError(f"cannot listen on port {port} of {_HOST}: {os.strerror(error.errno or 0)}") from error


class Emulator:
    """The local AWS, running from `__enter__` to `__exit__`.

    Attributes:
        folder: holds everything that is written; it belongs to the caller, who also removes it.
        certificate: the server's certificate, valid for 127.0.0.1 and localhost. It is its own CA bundle, and other
            servers on loopback may use it.
        key: the private key of the certificate.
        log: the output of the server and of the CDK command line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        project: Path,
        python: Path,
        port: int = 0,
        marketplace_endpoint_url: str | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            folder: a scratch folder.
            project: has the app with its `cdk.json`, and perhaps the CDK's command line in `node_modules`.
            python: of the environment that has the emulator.
            port: port to listen on; 0 chooses a free one.
            marketplace_endpoint_url: where the Lambdas call AWS Marketplace; the emulator supports neither
                ResolveCustomer nor GetEntitlements.
        """
        self.folder = folder.resolve()
        self.certificate = self.folder / "server.crt"
        self.key = self.folder / "server.key"
        self.log = self.folder / "local-aws.log"
        self._project = project
        self._python = python
        self._marketplace_endpoint_url = marketplace_endpoint_url
        self._assembly = self.folder / "cdk.out"
        self._server: subprocess.Popen[bytes] | None = None
        self._port = port
        self._bootstrapped = False

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_certificate(self.certificate, self.key)
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def endpoint_url(self) -> str:
        """The endpoint of every AWS service."""
        return f"https://{_HOST}:{self._port}"

    def api_url(self, api_id: str) -> str:
        """The address of an HTTP API with a `$default` stage; append a route's path."""
        return f"{self.endpoint_url}/_aws/execute-api/{api_id}/$default"

    def environment(self) -> dict[str, str]:
        """The environment variables that point the AWS CLI, the CDK or an SDK at this AWS and no other."""
        return {
            **_cdk_cli.environment(self.folder, self._project),
            "HOME": str(Path.home()),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
        }

    def client(self, service: str, **credentials: str) -> Any:
        """A client of this AWS, as boto3 makes it, with the account's root credentials unless others are given.

        Args:
            service: the service's name in boto3.
            credentials: `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`.
        """
        keys: dict[str, Any] = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return botocore.session.Session(session_vars=_NO_PROFILE).create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            verify=str(self.certificate),
            config=Config(proxies={}),
            **keys,
        )

    def deploy(
        self,
        *,
        app: str | None = None,
        context: Mapping[str, str] | None = None,
        api_id: str | None = None,
        cwd: Path | None = None,
    ) -> dict[str, dict[str, str]]:
        """Deploy every stack of a CDK app, as `cdk deploy --all` does.

        Args:
            app: the command that synthesizes the app; by default, that of `cdk.json`.
            context: CDK context values.
            api_id: of the one HTTP API that is deployed; random by default, as in AWS.
            cwd: where the app runs and has its `cdk.json`; by default, the project.

        Returns:
            the outputs by stack.

        Raises:
            LocalAwsError: a command failed; the message includes its output.
        """
        if not self._bootstrapped:
            # In a folder without cdk.json: otherwise bootstrap would needlessly synthesize the app.
            self._cdk("bootstrap", [f"aws://{ACCOUNT}/{REGION}"], self.folder)
            self._bootstrapped = True
        outputs = self.folder / "outputs.json"
        outputs.unlink(missing_ok=True)
        cwd = cwd or self._project
        command = _cdk_cli.app(app or json.loads((cwd / "cdk.json").read_text(encoding="utf-8"))["app"])
        options = ["--all", "--app", command, "--output", str(self._assembly), "--require-approval", "never"]
        for name, value in (context or {}).items():
            options += ["--context", f"{name}={value}"]
        if api_id is not None:
            # The emulator gives a stack's tags to its resources, and takes an API's ID from this one.
            options += ["--tags", f"ms-custom-id={api_id}"]
        self._cdk("deploy", [*options, "--progress", "events", "--outputs-file", str(outputs)], cwd)
        deployed: dict[str, dict[str, str]] = json.loads(outputs.read_text()) if outputs.exists() else {}
        return deployed

    def destroy(self) -> None:
        """Delete the last deployment, as `cdk destroy --all` does.

        Raises:
            LocalAwsError: a command failed; the message includes its output.
        """
        self._cdk("destroy", ["--all", "--force", "--app", str(self._assembly)], self.folder)

    def reset(self) -> None:
        """Discard everything that was deployed or stored.

        Raises:
            LocalAwsError: the server did not reset.
        """
        if (status := self._status("POST", "/_ministack/reset")) != http.HTTPStatus.OK:
            raise LocalAwsError(f"the local AWS was not reset: status {status}")
        self._bootstrapped = False

    def _start(self) -> None:
        with named_port(self._port):
            listener = socket.create_server((_HOST, self._port))
        with listener, self.log.open("ab") as log:
            self._port = listener.getsockname()[1]
            # The server inherits a bound socket, so that no other process can take the port in between.
            bind = f"fd://{listener.fileno()}"
            python = [str(self._python), "-c", _SERVE, str(_LAMBDA_LOGGING)]
            command = [*python, "ministack.app:app", "--workers", "0", "--bind", bind]
            self._server = subprocess.Popen(  # noqa: S603 - nothing of it is untrusted
                [*command, "--certfile", str(self.certificate), "--keyfile", str(self.key)],
                cwd=self.folder,
                env=self._server_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while self._server.poll() is None and time.monotonic() < deadline:
            try:
                if self._status("GET", "/_ministack/health") == http.HTTPStatus.OK:
                    return
            except OSError:
                time.sleep(0.05)
        raise LocalAwsError(f"the local AWS did not start:\n{self.log.read_text(encoding='utf-8', errors='replace')}")

    def _server_environment(self) -> dict[str, str]:
        # The Lambdas inherit it, so of the machine's own variables it has only one that a Python interpreter may need.
        marketplace = self._marketplace_endpoint_url
        return {
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            **{
                f"AWS_ENDPOINT_URL_MARKETPLACE_{service}": marketplace
                for service in ("METERING", "ENTITLEMENT_SERVICE", "AGREEMENT")
                if marketplace
            },
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "TZ": "UTC",
            "GATEWAY_PORT": str(self._port),
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self.certificate),
            "MINISTACK_SSL_KEY": str(self.key),
            "AWS_CA_BUNDLE": str(self.certificate),
            # Its other listeners have fixed ports, and it would remove containers that it believes are its own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self.folder}/no-docker",
        }

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            # There is nothing to save, and a graceful shutdown would wait for open connections.
            with server, contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)

    def _status(self, method: str, path: str) -> int:
        connection = http.client.HTTPSConnection(
            _HOST, self._port, timeout=10, context=ssl.create_default_context(cafile=self.certificate)
        )
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def _cdk(self, command: str, options: Sequence[str], cwd: Path) -> None:
        environment = {**self.environment(), "HOME": str(self.folder)}
        status, output = _cdk_cli.run([command, *options], cwd=cwd, environment=environment)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(output)
        if status:
            raise LocalAwsError(f"cdk {shlex.join([command, *options])} failed with {status}:\n{output}")


def write_certificate(certificate: Path, key: Path) -> None:
    """Write a new self-signed certificate for 127.0.0.1 and localhost, and its private key.

    The emulator's own way requires the openssl command.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local AWS")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(_HOST))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
