"""Runs checks, one after the other, each within its time, whatever becomes of the others."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.claims import ClaimError
from constructs_lib.verify._cdk import CdkError
from constructs_lib.verify._check import Result
from constructs_lib.verify._deadline import Deadline, NotSeenError
from constructs_lib.verify._report import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs_lib.verify._check import Check
    from constructs_lib.verify._report import Report
    from constructs_lib.verify._subject import Subject

# What AWS, or the way to it, may answer a check with; anything else is a defect of the check.
_ERRORS = (BotoCoreError, CdkError, ClaimError, ClientError, OSError, http.client.HTTPException)


def run_checks(checks: Iterable[Check], subject: Subject, report: Report) -> None:
    """Run checks, and report each as it ends."""
    for check in checks:
        report.add(_run(check, subject))


def _run(check: Check, subject: Subject) -> Row:
    if reason := check.left_out(subject):
        return Row(check=check.name, expected=check.expected, seen=reason, holds=None, left_out=True)
    start = subject.clock.monotonic()
    try:
        result = check.run(subject, Deadline(check.seconds, subject.clock))
    except NotSeenError as error:
        result = Result(seen=f"after {check.seconds} s: {error}", holds=False)
    except _ERRORS as error:
        result = Result(seen=f"{type(error).__name__}: {error}", holds=False)
    seconds = round(subject.clock.monotonic() - start, 1)
    return Row(check=check.name, expected=check.expected, seen=result.seen, holds=result.holds, seconds=seconds)
