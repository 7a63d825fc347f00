"""The checks, in the order in which they run: what later ones look at, such as a log line, earlier ones cause."""

from constructs_lib.verify._check import Check
from constructs_lib.verify._checks import deployments, requests

CHECKS: tuple[Check, ...] = (*deployments.FIRST, *requests.CHECKS)
