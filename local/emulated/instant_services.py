"""Marketplace, DynamoDB and EventBridge as far as one event of each function needs them: immediate responses over TLS.

They run in a separate process and do as little as possible, so that only the function is measured.
"""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any

import botocore

from local.emulated.server_process import server_process
from local.local_aws import write_certificate
from local.product import PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator


_BUYER = "111122223333"
_LICENSE_ARN = "arn:aws:license-manager::111122223333:license:l-0123456789abcdef0123456789abcdef"

_RESPONSES: dict[str, dict[str, Any]] = {
    "AWSMPMeteringService.ResolveCustomer": {
        "CustomerAWSAccountId": _BUYER,
        "ProductCode": PRODUCT_CODE,
        "LicenseArn": _LICENSE_ARN,
        "Metadata": {"AgreementId": "agmt-0123456789abcdef01234567"},
    },
    "AWSMPEntitlementService.GetEntitlements": {
        "Entitlements": [
            {
                "CustomerAWSAccountId": _BUYER,
                "ProductCode": PRODUCT_CODE,
                "LicenseArn": _LICENSE_ARN,
                "Dimension": "users",
                "Value": {"IntegerValue": 25},
                "ExpirationDate": 1798761600,
            }
        ]
    },
    "DynamoDB_20120810.PutItem": {},
    "DynamoDB_20120810.UpdateItem": {"Attributes": {"RegisteredAt": {"S": "2026-01-01T00:00:00.000000+00:00"}}},
    "DynamoDB_20120810.Query": {
        "Items": [
            {
                "CustomerAWSAccountId": {"S": _BUYER},
                "ProductLicense": {"S": f"{PRODUCT_CODE}#{_LICENSE_ARN}"},
                "ProductCode": {"S": PRODUCT_CODE},
                "LicenseArn": {"S": _LICENSE_ARN},
                "RegisteredAt": {"S": "2026-01-01T00:00:00.000000+00:00"},
                "LicenseStatus": {"S": "ACTIVE"},
                "LicenseStatusAt": {"S": "2026-01-01T00:00:00Z"},
            }
        ],
        "Count": 1,
        "ScannedCount": 1,
    },
}


@contextmanager
def services(folder: Path) -> Iterator[dict[str, str]]:
    """Run them, and yield the environment variables that point a function at them.

    Args:
        folder: a scratch folder.
    """
    certificate, key, bundle = folder / "server.crt", folder / "server.key", folder / "bundle.pem"
    write_certificate(certificate, key)
    # A connection to AWS reads all authorities that the SDK trusts; reading a single one would be too fast.
    trusted = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    bundle.write_bytes(trusted + certificate.read_bytes())
    with server_process(_Server, certificate, key) as port:
        yield {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}", "AWS_CA_BUNDLE": str(bundle)}


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake must happen in the connection's own thread.
        with suppress(ConnectionError, ssl.SSLError), self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Respond to a call of an SDK."""
        request = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(_response(self.headers["X-Amz-Target"], request)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        # One write, one packet: a separate body would wait until the head is acknowledged.
        self.wfile.write(head.encode("latin-1") + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's own name
        """Print nothing."""


def _response(target: str, request: bytes) -> dict[str, Any]:
    if target != "AWSEvents.PutEvents":
        return _RESPONSES[target]
    accepted = {"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}
    return {"FailedEntryCount": 0, "Entries": [accepted] * len(json.loads(request)["Entries"])}
