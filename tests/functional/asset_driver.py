"""Runs the asset as Lambda does, with every log turned on; events come in and responses go out by line.

test_secrets starts it in the asset's folder, as a process of its own: its output is all that could be logged.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback

import boto3
from botocore.retries.standard import ExponentialBackoff

from resolver.main import handler

# As in the other tests: no waits between two attempts.
ExponentialBackoff.delay_amount = lambda *_: 0  # type: ignore[method-assign] # for this process alone

boto3.set_stream_logger("")
for name in ("botocore", "urllib3", "resolver"):
    logging.getLogger(name).setLevel(logging.DEBUG)
if "--let-debug-through" in sys.argv:
    logging.disable(logging.NOTSET)
    logging.getLogger("botocore").propagate = True


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return next((int(option.partition("=")[2]) for option in sys.argv if option.startswith("--remaining=")), 29_000)


class Everything(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {vars(record)}"


for log_handler in logging.getLogger().handlers:
    log_handler.setFormatter(Everything())

for event in sys.stdin:
    response = None
    try:
        response = handler(json.loads(event), Context())
    except Exception:  # noqa: BLE001 - any error is printed, as the runtime does
        traceback.print_exc()
    print(json.dumps(response), flush=True)  # noqa: T201 - the way back to the test
