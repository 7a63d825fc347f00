"""What Lambda calls. Clients are made while the environment starts, when it has the most CPU."""

# ruff: noqa: E402 - the collector is stopped before what it would be collecting is imported
import gc

# Nothing that an import or a client makes is garbage, but the collector looks through all of it time and again as it
# grows: 8 ms of CPU.
gc.disable()

import logging
import os
from pathlib import Path

from resolver.authorities import read_authorities_once
from resolver.composition import compose
from resolver.settings import Settings

# botocore's debug log prints request bodies, with the token in them. Below this line no logger of this process can,
# whatever level it, or the function's logging configuration, is set to.
logging.disable(logging.DEBUG)

read_authorities_once()
handler = compose(Settings.from_environment(os.environ), models=Path(__file__).parent.parent / "models")

# What there is now stays, and is not looked at again when what requests leave behind is collected.
gc.freeze()
gc.enable()
