"""The entry point that Lambda calls. Clients are created during init, when the execution environment has most CPU."""

# ruff: noqa: E402 - the collector is stopped before the imports that would keep it busy
import gc

# Nothing that an import or a client creates is garbage, but the collector scans all of it again and again as it grows:
# 8 ms of CPU.
gc.disable()

import os
from pathlib import Path
from typing import Any

from resolver.composition import compose
from resolver.settings import Settings
from sdk.authorities import read_authorities_once
from sdk.deadline import Deadline
from sdk.logs import silence_sdk

silence_sdk()
read_authorities_once()
deadline = Deadline()
answer = compose(
    Settings.from_environment(os.environ), models=Path(__file__).parent.parent / "models", deadline=deadline
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request within the function's time."""
    deadline.set_by(context)
    return answer(event, context)


# Move everything loaded so far out of the collector's reach; only per-request garbage is scanned from now on.
gc.freeze()
gc.enable()
