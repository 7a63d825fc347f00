"""Run a command once no other process runs one in this way: `python -m local.one_at_a_time make …`.

Needs the standard library of any Python 3 only, as it runs before anything is installed.
"""

import fcntl
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Become the command, which holds the lock for as long as it runs."""
    # While it waits, Ctrl-C leaves no traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A file that exists already, so nothing remains; open for writing, without which NFS gives no exclusive lock.
    lock = os.open(Path(__file__).parents[1] / "Makefile", os.O_RDWR)
    os.set_inheritable(lock, True)  # noqa: FBT003 - the function has no names
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another make, which is installing …", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - its arguments are the Makefile's


if __name__ == "__main__":
    main()
