"""Ctrl-C and SIGTERM, which end the demo and the local deployment with everything that they started."""

import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def raise_at_the_first() -> None:
    """Let the first signal raise KeyboardInterrupt with its number, and ignore the others."""
    for number in _SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, _frame: object) -> None:
    # A second Ctrl-C must not interrupt the clean-up that the first one started.
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number)
