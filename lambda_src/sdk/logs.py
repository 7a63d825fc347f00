"""What must not reach a function's log."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path


def silence_sdk() -> None:
    """Keep the SDK's logs out of the process's.

    botocore's debug log prints request bodies, with the registration token in them. Below INFO no logger of this
    process can print, whatever level it, or the function's logging configuration, is set to. The warnings of botocore
    and urllib3 print what AWS sent: headers, and messages that may quote what was sent to it.
    """
    logging.disable(logging.DEBUG)
    for name in ("botocore", "urllib3"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


def where(error: Exception) -> str:
    """Return the kind of an unforeseen error and where it was raised; not its text, which may quote what was sent."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
