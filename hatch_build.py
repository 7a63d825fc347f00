"""The packages of each function's asset in the wheel, where a checkout has links to ``lambda_src``."""

from __future__ import annotations

import ast
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's own parameter is not public
    """Includes copies: hatchling takes one source to one place only, and assets share packages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's own
        """Add the packages of every asset that the source has models for."""
        self._copies = Path(tempfile.mkdtemp())
        root = Path(self.root)
        sources = root / "lambda_src"
        for models in (root / "constructs_lib/functions/assets").glob("*/models"):
            asset = models.parent.relative_to(root)
            for package in _imported(sources, asset.name):
                copy = self._copies / asset.name / package
                shutil.copytree(sources / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
                build_data["force_include"][str(copy)] = f"{asset.as_posix()}/{package}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as above
        """Remove the copies."""
        shutil.rmtree(self._copies)


def _imported(sources: Path, package: str) -> set[str]:
    """Return a package and those beside it that it imports, directly or not."""
    found: set[str] = set()
    wanted = {package}
    while wanted:
        name = wanted.pop()
        found.add(name)
        for module in (sources / name).glob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                # The functions import from packages only.
                if isinstance(node, ast.ImportFrom) and node.module:
                    imported = node.module.partition(".")[0]
                    if imported not in found and (sources / imported).is_dir():
                        wanted.add(imported)
    return found
