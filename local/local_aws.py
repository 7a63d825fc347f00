"""The local AWS of this project: its emulator is in `.local-aws`, the CDK's command line in `node_modules`."""

from pathlib import Path

from constructs_lib.testing._emulator import ACCOUNT, REGION, Emulator, PortError, named_port, write_certificate
from constructs_lib.testing.local_aws_error import LocalAwsError
from local.product import PROJECT

__all__ = ["ACCOUNT", "REGION", "LocalAws", "LocalAwsError", "PortError", "named_port", "write_certificate"]


class LocalAws(Emulator):
    """The local AWS, running from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path, *, port: int = 0, marketplace_endpoint_url: str | None = None) -> None:
        """Start nothing yet.

        Args:
            folder: a scratch folder.
            port: port to listen on; 0 chooses a free one.
            marketplace_endpoint_url: where the Lambdas call AWS Marketplace.
        """
        super().__init__(
            folder,
            project=PROJECT,
            python=PROJECT / ".local-aws/bin/python",
            port=port,
            marketplace_endpoint_url=marketplace_endpoint_url,
        )
