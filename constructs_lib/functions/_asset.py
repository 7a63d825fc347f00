"""A function's Lambda asset: its sources and the service models that its calls need, as a folder of this package.

The SDK in the Lambda runtime lags behind: its models drop ``LicenseArn`` and ``Metadata`` from the response of
ResolveCustomer. So the asset carries models of the SDK that the release was tested with, reduced to the operations
used. The folder is part of the release: its hash is the same on every machine, whatever is installed there.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASSETS = Path(__file__).with_name("assets")

COMPILED = "__pycache__"
"""Not part of an asset: pip compiles a wheel's modules when it installs them, each Python in its own way."""


@dataclass(frozen=True, kw_only=True)
class FunctionAsset:
    """The code of one function.

    Attributes:
        package: folder in ``lambda_src``.
        operations: service to the operations that the function calls; its models know nothing else.
    """

    package: str
    operations: Mapping[str, frozenset[str]]

    @property
    def folder(self) -> Path:
        """The asset: the function's package, the shared one and the folder ``models``."""
        return _ASSETS / self.package

    def make_readable(self) -> None:
        """Let everyone read the files.

        The uploaded zip keeps file modes, and Lambda runs as a different user: files that were installed under a strict
        umask would be unreadable there.
        """
        for path in [self.folder, *self.folder.rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode | (0o555 if path.is_dir() else 0o444)
            if mode != wanted:
                path.chmod(wanted)
