"""The entry point that Lambda calls. Clients are created during init, when the execution environment has most CPU."""

# ruff: noqa: E402 - the collector is stopped before the imports that would keep it busy
import gc

# Nothing that an import or a client creates is garbage, but the collector scans all of it again and again as it grows.
gc.disable()

import os
from pathlib import Path
from typing import Any

from reconciler.composition import compose
from reconciler.settings import Settings
from sdk.authorities import read_authorities_once
from sdk.deadline import Deadline
from sdk.logs import silence_sdk

silence_sdk()
read_authorities_once()
deadline = Deadline()
handle = compose(
    Settings.from_environment(os.environ), models=Path(__file__).parent.parent / "models", deadline=deadline
)


def handler(request: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run within the function's time; what is not done by then is left to the next run."""
    deadline.set_by(context)
    return handle(request, context)


# Move everything loaded so far out of the collector's reach; only the garbage of a run is scanned from now on.
gc.freeze()
gc.enable()
