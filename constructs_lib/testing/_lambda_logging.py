"""Lambda's JSON log in the local AWS: the beginning of the program that runs a function there.

The emulator's own program gives Python's logging no handler, so lines below WARNING would be lost, and all fields with
them. Nothing imports this file.
"""

from __future__ import annotations

import json
import logging
import time

_OWN = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            line["stackTrace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


_to_the_log_group = logging.StreamHandler()
_to_the_log_group.setFormatter(_JsonFormatter())
logging.basicConfig(level=logging.INFO, handlers=[_to_the_log_group])
