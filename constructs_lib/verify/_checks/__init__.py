"""The checks, in the order in which they run: what later ones look at, such as a log line, earlier ones cause."""

from constructs_lib.verify._check import Check
from constructs_lib.verify._checks import (
    alarms,
    deployments,
    functions,
    logs,
    permissions,
    requests,
    subscriptions,
)

CHECKS: tuple[Check, ...] = (
    *deployments.FIRST,
    # Before all requests: while nothing else is in the logs, and nothing is warm.
    *logs.FIRST,
    *functions.CHECKS,
    *requests.CHECKS,
    *logs.CHECKS,
    *alarms.CHECKS,
    *permissions.CHECKS,
    *subscriptions.CHECKS,
    *deployments.LAST,
)
