"""The entry point that Lambda calls. Clients are created during init, when the execution environment has most CPU."""

# ruff: noqa: E402 - the collector is stopped before the imports that would keep it busy
import gc

# Nothing that an import or a client creates is garbage, but the collector scans all of it again and again as it grows:
# 8 ms of CPU.
gc.disable()

import logging
import os
from pathlib import Path

from resolver.composition import compose
from resolver.settings import Settings
from sdk.authorities import read_authorities_once

# botocore's debug log prints request bodies, with the token in them. Below this level no logger of this process can
# print, whatever level it, or the function's logging configuration, is set to.
logging.disable(logging.DEBUG)

read_authorities_once()
handler = compose(Settings.from_environment(os.environ), models=Path(__file__).parent.parent / "models")

# Move everything loaded so far out of the collector's reach; only per-request garbage is scanned from now on.
gc.freeze()
gc.enable()
