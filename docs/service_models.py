"""The service models in each function's asset, from the pinned SDK: part of ``make generate``."""  # noqa: INP001 - scripts, not a package

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore

from constructs_lib.registration._resolver import RESOLVER
from constructs_lib.subscriptions._functions import PUBLISHER, RECONCILER, SUBSCRIBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from constructs_lib.functions._asset import FunctionAsset

    Model = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]

FUNCTIONS = (RESOLVER, SUBSCRIBER, PUBLISHER, RECONCILER)

# Read without botocore's Loader, which looks into ~/.aws/models first: that differs from machine to machine.
_MODELS = Path(botocore.__file__).parent / "data"

# What botocore reads besides the models, whatever the service.
_SHARED_MODELS = ("partitions", "sdk-default-configuration", "_retry")


def service_models() -> dict[str, str]:
    """Return path in the repository to content, of every function's models."""
    return {
        (asset.folder / "models" / f"{name}.json").relative_to(ROOT).as_posix(): json.dumps(
            model, separators=(",", ":")
        )
        + "\n"
        for asset in FUNCTIONS
        for name, model in _models(asset).items()
    }


def _models(asset: FunctionAsset) -> Mapping[str, Model]:
    models = {}
    prefixes = set()
    for service, operations in sorted(asset.operations.items()):
        # Versions are dates.
        version = max(path.name for path in (_MODELS / service).iterdir())
        model = _reduced(_read(f"{service}/{version}/service-2"), operations)
        prefixes.add(model["metadata"]["endpointPrefix"])
        models[f"{service}/{version}/service-2"] = model
        rules = f"{service}/{version}/endpoint-rule-set-1"
        models[rules] = _read(rules)
    for name in _SHARED_MODELS:
        models[name] = _read(name)
    models["endpoints"] = _read("endpoints")
    for partition in models["endpoints"]["partitions"]:
        partition["services"] = {k: v for k, v in partition["services"].items() if k in prefixes}
    return models


def _read(name: str) -> Model:
    plain, compressed = _MODELS / f"{name}.json", _MODELS / f"{name}.json.gz"
    content = gzip.decompress(compressed.read_bytes()) if compressed.exists() else plain.read_bytes()
    model: Model = json.loads(content)
    return model


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
    """Return a copy without what no call reads: documentation and the values that a string may have.

    The first is a string and the second a list; members of these names would be objects.
    """
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
            and not (name == "enum" and isinstance(value, list))
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part
