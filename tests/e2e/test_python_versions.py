"""The wheel on every supported Python that is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sellers_environment import SellersEnvironment, asset_of

RUNNING = f"3.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13", "3.14") if version != RUNNING]


@cache
def interpreter(version: str) -> Path | None:
    """Return the Python of that version from the PATH or from pyenv."""
    found = shutil.which(f"python{version}")
    candidates = [
        *([Path(found)] if found else []),
        *Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}"),
    ]
    code = "import sys, venv, ssl; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for candidate in candidates:
        # pyenv has a shim for every installed Python, which fails for those that are not selected.
        printed = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if printed.returncode == 0 and printed.stdout.startswith(f"{version} "):
            return Path(printed.stdout.split(maxsplit=1)[1].strip())
    return None


@pytest.mark.parametrize("version", OTHERS)
def test_the_wheel_makes_the_same_asset_on_another_python(
    wheel: Path, from_checkout: dict[str, Any], tmp_path: Path, version: str
) -> None:
    base = interpreter(version)
    if base is None:
        pytest.skip(f"Python {version} is not installed, so Python {RUNNING} cannot be compared with it")

    synthesized = SellersEnvironment(tmp_path / "seller", wheel=wheel, base=base).synth("minimal")

    assert asset_of(synthesized) == asset_of(from_checkout)
