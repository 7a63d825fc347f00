"""The resolver's asset as Lambda gets it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from constructs_lib.functions._asset import COMPILED
from constructs_lib.registration._resolver import RESOLVER

if TYPE_CHECKING:
    from pathlib import Path


def copy_asset(folder: Path) -> None:
    """Copy the asset into a folder, without what Python has compiled: Lambda's is not."""
    shutil.copytree(RESOLVER.folder, folder, ignore=shutil.ignore_patterns(COMPILED), dirs_exist_ok=True)
