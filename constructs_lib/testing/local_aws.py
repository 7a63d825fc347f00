"""A local AWS, to which a seller's own stack is deployed."""

import http.client
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

import botocore.session

from constructs_lib.testing.local_aws_error import LocalAwsError
from constructs_lib.testing.marketplace_stand_in import MarketplaceStandIn

try:
    from constructs_lib.testing._emulator import REGION, Emulator
except ImportError as _error:
    raise ImportError("LocalAws needs its extra: pip install 'marketplace-registration[local-aws]'") from _error


class LocalAws(Emulator):
    """An AWS emulator on 127.0.0.1 that accepts ``cdk deploy`` and enforces role policies.

    It runs within a ``with`` block, with a Marketplace stand-in that its Lambda functions call. Nothing of the
    machine's own AWS configuration is used.

    Attributes:
        marketplace: The Marketplace stand-in.
        folder: Holds everything that is written.
        certificate: The certificate of every HTTPS server here, which is its own CA bundle.
        log: The output of the emulator and of the CDK's command line.
    """

    marketplace: MarketplaceStandIn
    folder: Path
    certificate: Path
    log: Path

    def __init__(self, folder: Path, *, project: Path, python: Path) -> None:
        """Start nothing yet.

        Args:
            folder: A scratch folder, which the caller removes.
            project: The folder of the CDK app, with its ``cdk.json``.
            python: The Python of the virtual environment that has the emulator.
        """
        self.marketplace = MarketplaceStandIn()
        super().__init__(folder, project=project, python=python)

    def __enter__(self) -> Self:
        """Start both.

        Returns:
            The local AWS itself.
        """
        with self.marketplace:
            self._marketplace_endpoint_url = self.marketplace.endpoint_url
            super().__enter__()
            # It now runs until __exit__.
            self.marketplace.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop both at once, and the functions with them."""
        super().__exit__(kind, error, traceback)
        self.marketplace.__exit__(kind, error, traceback)

    def url(self, deployed: str) -> str:
        """Return where a URL of an HTTP API is on this machine.

        Args:
            deployed: The URL, such as the output of the construct's ``fulfillment_url`` or ``claim_url``.
        """
        parts = urlsplit(deployed)
        return self.api_url((parts.hostname or "").partition(".")[0]) + parts.path

    def set_up_account(self, fulfillment_url: str, form: Mapping[str, str]) -> str:
        """Do what the browser does when the buyer presses “Set up your account”.

        Args:
            fulfillment_url: The construct's ``fulfillment_url``, from the outputs.
            form: The fields, from ``marketplace.form``.

        Returns:
            The URL that the browser is redirected to: the landing page, with the registration code.

        Raises:
            LocalAwsError: There was no redirect; the message has the status and the page.
        """
        url = urlsplit(self.url(fulfillment_url))
        context = ssl.create_default_context(cafile=self.certificate)
        connection = http.client.HTTPSConnection(url.netloc, timeout=60, context=context)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        try:
            connection.request("POST", url.path, urlencode(form), headers)
            response = connection.getresponse()
            page = response.read().decode(errors="replace")
        finally:
            connection.close()
        if response.status != HTTPStatus.SEE_OTHER:
            raise LocalAwsError(f"the buyer was not redirected: status {response.status}\n{page}")
        return response.headers["Location"]

    def session(self, role_arn: str | None = None) -> botocore.session.Session:
        """Return a session for this AWS, such as the one that ``ClaimClient`` takes.

        Args:
            role_arn: The role to assume; by default, the account's root user, who may do everything.
        """
        session = botocore.session.Session()
        keys = ("test", "test", None)
        if role_arn:
            assumed = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
            keys = assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"]
        session.set_credentials(*keys)
        session.set_config_variable("region", REGION)
        session.set_config_variable("ca_bundle", str(self.certificate))
        return session
