"""A function's Lambda asset: its sources and the service models that its calls need.

The SDK in the Lambda runtime lags behind: its models drop ``LicenseArn`` and ``Metadata`` from the response of
ResolveCustomer. So the asset carries the models of the botocore that is installed where the stack is synthesized,
reduced to the operations used. The same sources and the same botocore make the same asset on every machine.
"""

from __future__ import annotations

import atexit
import gzip
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Model = dict[str, Any]

_SOURCES = Path(__file__).parents[2] / "lambda_src"

# The package that every function imports.
_SHARED_PACKAGE = "sdk"

# Read without botocore's Loader: importing it takes longer than everything done here, and it looks into ~/.aws/models
# first, which differs from machine to machine.
_MODELS = Path(botocore.__file__).parent / "data"

# What botocore reads besides the models, whatever the service.
_SHARED_MODELS = ("partitions", "sdk-default-configuration", "_retry")


@dataclass(frozen=True, kw_only=True)
class FunctionAsset:
    """The code of one function.

    Attributes:
        package: folder in ``lambda_src``.
        operations: service to the operations that the function calls; its models know nothing else.
    """

    package: str
    operations: Mapping[str, frozenset[str]]

    @cached_property
    def folder(self) -> Path:
        """A folder that holds the asset; it is made once per process and removed at its end."""
        folder = Path(tempfile.mkdtemp(prefix="marketplace-registration-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.write(folder)
        return folder

    def write(self, folder: Path) -> None:
        """Write the asset into a folder: the function's package, the shared one and the folder ``models``."""
        for package in (self.package, _SHARED_PACKAGE):
            # Compiled modules hold the time of their source, which would give every checkout another asset.
            shutil.copytree(_SOURCES / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        models = folder / "models"
        prefixes = set()
        for service, operations in self.operations.items():
            # Versions are dates.
            version = max(path.name for path in (_MODELS / service).iterdir())
            model = _reduced(_read(f"{service}/{version}/service-2"), operations)
            prefixes.add(model["metadata"]["endpointPrefix"])
            _write(models / service / version / "service-2.json", model)
            rules = _read(f"{service}/{version}/endpoint-rule-set-1")
            _write(models / service / version / "endpoint-rule-set-1.json", rules)
        for name in _SHARED_MODELS:
            _write(models / f"{name}.json", _read(name))
        endpoints = _read("endpoints")
        for partition in endpoints["partitions"]:
            partition["services"] = {k: v for k, v in partition["services"].items() if k in prefixes}
        _write(models / "endpoints.json", endpoints)
        # The uploaded zip keeps file modes, and Lambda runs as a different user: a strict umask would make the files
        # unreadable.
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


def _read(name: str) -> Model:
    plain, compressed = _MODELS / f"{name}.json", _MODELS / f"{name}.json.gz"
    content = gzip.decompress(compressed.read_bytes()) if compressed.exists() else plain.read_bytes()
    model: Model = json.loads(content)
    return model


def _write(path: Path, content: Model) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _reduced(model: Model, operations: Iterable[str]) -> Model:
    """Return a service model with some of its operations, the shapes that they use, and no documentation."""
    kept = {name: _undocumented(model["operations"][name]) for name in sorted(operations)}
    shapes: Model = {}
    wanted = [kept]
    while wanted:
        for name in _shape_names(wanted.pop()):
            if name not in shapes:
                shapes[name] = _undocumented(model["shapes"][name])
                wanted.append(shapes[name])
    return {
        **{name: part for name, part in model.items() if name != "documentation"},
        "operations": kept,
        "shapes": {name: shapes[name] for name in sorted(shapes)},
    }


def _shape_names(part: object) -> Iterable[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _shape_names(value)
    elif isinstance(part, list):
        for value in part:
            yield from _shape_names(value)


def _undocumented(part: Any) -> Any:
    """Return a copy without documentation, which is a string; a member of that name would be an object."""
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part
