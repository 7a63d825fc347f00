"""Records this version's template and asset: part of ``make record``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_FOLDER = Path(__file__).parent
_ANY_TIME = (1980, 1, 1, 0, 0, 0)


def record(version: str) -> None:
    """Write ``<version>.zip``, the part of the cloud assembly that a deployment needs."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CDK_OUTDIR": folder, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, _FOLDER / "app.py"], env=environment, check=True)
        out = Path(folder)
        needed = ["cdk.out", "manifest.json", "Released.assets.json", "Released.template.json"]
        files = [
            *(out / name for name in needed),
            *(path for path in sorted(out.glob("asset.*/**/*")) if path.is_file()),
        ]
        contents = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
        # Where each construct was made, on the machine that made it: not for others.
        contents["Released.metadata.json"] = b"{}"
        with ZipFile(_FOLDER / f"{version}.zip", "w") as archive:
            for name, content in contents.items():
                archive.writestr(ZipInfo(name, _ANY_TIME), content, ZIP_DEFLATED)
