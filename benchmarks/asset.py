"""A function's asset as Lambda gets it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from constructs_lib.functions._asset import COMPILED

if TYPE_CHECKING:
    from pathlib import Path

    from constructs_lib.functions._asset import FunctionAsset


def copy_asset(asset: FunctionAsset, folder: Path) -> None:
    """Copy an asset into a folder, without what Python has compiled: Lambda's is not."""
    shutil.copytree(asset.folder, folder, ignore=shutil.ignore_patterns(COMPILED), dirs_exist_ok=True)
