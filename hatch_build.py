"""The packages of each function's asset in the wheel, where a checkout has links to ``lambda_src``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's own parameter is not public
    """Includes copies: hatchling takes one source to one place only, and every asset has the shared package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's own
        """Add the packages of every asset that the source has models for."""
        self._copies = Path(tempfile.mkdtemp())
        root = Path(self.root)
        for models in (root / "constructs_lib/functions/assets").glob("*/models"):
            asset = models.parent.relative_to(root)
            for package in (asset.name, "sdk"):
                copy = self._copies / asset.name / package
                shutil.copytree(root / "lambda_src" / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
                build_data["force_include"][str(copy)] = f"{asset.as_posix()}/{package}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as above
        """Remove the copies."""
        shutil.rmtree(self._copies)
