"""The commands of the Makefile: `python -m local demo`, `stay` or `synth`."""

import sys
from importlib import import_module

from local import signals

_STOPPED = 128


def main() -> int:
    """Run the command; 130 if Ctrl-C stopped it, 143 if SIGTERM did."""
    signals.raise_at_the_first()
    try:
        # Imported only now, as that takes seconds.
        status: int = import_module(f"local.{sys.argv.pop(1)}").main()
    except KeyboardInterrupt as stopped:
        print("\nEverything is stopped")
        number: int = stopped.args[0]
        return _STOPPED + number
    return status


if __name__ == "__main__":
    sys.exit(main())
