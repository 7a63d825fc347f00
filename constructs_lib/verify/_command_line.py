"""From the arguments to the report: guard, deploy, check, remove."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.verify._cdk import Cdk, CdkError
from constructs_lib.verify._checks import CHECKS
from constructs_lib.verify._cleaning import Cleaning
from constructs_lib.verify._deadline import CLOCK
from constructs_lib.verify._guard import RefusedError, agreed, local_url, refuse
from constructs_lib.verify._http import Http
from constructs_lib.verify._names import DEPLOYMENT, NOTHING_LEFT, PREFIX, PRODUCT_CODE
from constructs_lib.verify._report import Report, Row
from constructs_lib.verify._running import run_checks
from constructs_lib.verify._subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from constructs_lib.verify._check import Check
    from constructs_lib.verify._deadline import Clock

HOLDS, DIFFERS, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses."""

# Some of these operations are allowed a few times per second only, such as SetAlarmState.
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10})

_MADE = "made.json"
"""Says what a run makes, from before it is made until nothing is left."""

_WILL_MAKE = """\
Account {account}, region {region}. This makes the stacks {run}-main, -512 and -1024, and with --released -released too:
APIs, functions, tables, queues, a topic, alarms and logs, all with the removal policy DESTROY. It sends some hundreds
of requests with made-up tokens, codes and buyers, reads your agreements on AWS Marketplace, and removes the stacks when
the checks are done, after about half an hour.
It costs less than $1 if AWS bills by the hour what it prices by the month; docs/real-account.md has the sum.
"""


def main(arguments: Sequence[str]) -> int:
    """Run, and return the exit status."""
    options = _parser().parse_args(arguments)
    # It leaves as little behind as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return Program(options, environment=os.environ, session=botocore.session.Session(profile=options.profile)).run()
    except (RefusedError, BotoCoreError, ClientError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        return INTERRUPTED


class Program:
    """One run of the command.

    Args:
        options: its arguments.
        environment: the environment variables.
        session: a session of botocore.
        ask: asks a person.
        cdk: makes the CDK's command line.
        checks: the table of checks.
        clock: tells the time.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        *,
        environment: Mapping[str, str],
        session: Any,
        ask: Callable[[str], str] = input,
        cdk: Callable[..., Cdk] = Cdk,
        checks: Sequence[Check] = CHECKS,
        clock: Clock = CLOCK,
    ) -> None:
        self._options = options
        self._environment = environment
        self._local_url = local_url(environment)
        self._session = session
        self._ask = ask
        self._cdk = cdk
        self._checks = checks
        self._clock = clock
        self._region: str = options.region or session.get_config_variable("region") or ""
        # Each reads large models.
        self._client = cache(
            lambda service, region="": session.create_client(
                service, region_name=region or self._region, config=_PATIENT
            )
        )

    def run(self) -> int:
        """Check or clean, after everything that could speak against it.

        Raises:
            RefusedError: nothing was made.
        """
        options = self._options
        if not self._region:
            raise RefusedError("--region: required, unless the profile has one")
        if bool(options.domain) != bool(options.certificate):
            raise RefusedError("--domain, --certificate: neither without the other")
        refuse(
            account=options.account,
            caller=lambda: self._client("sts").get_caller_identity()["Account"],
            yes=options.yes,
            environment=self._environment,
            local=bool(self._local_url),
        )
        return self._clean() if options.clean else self._verify()

    def _clean(self) -> int:
        cleaning = Cleaning(self._client, self._clock)
        made = {path.parent.name: path for path in self._options.output.glob(f"*/{_MADE}") if self._is_here(path)}
        runs = sorted({*made, *cleaning.runs()})
        if not runs:
            print("Nothing is left.")
            return HOLDS
        if not self._agreed(f"Account {self._options.account}, region {self._region}: remove {', '.join(runs)}?"):
            return NOTHING_DONE
        clean = True
        for run in runs:
            result = cleaning.remove(run)
            print(f"{run}: {result.seen}")
            if not result.holds:
                clean = False
            elif run in made:
                made[run].unlink()
        return HOLDS if clean else DIFFERS

    def _verify(self) -> int:
        run = PREFIX + secrets.token_hex(4)
        here = {"account": self._options.account, "region": self._region}
        print(_WILL_MAKE.format(run=run, **here))
        if not self._agreed("Make them?"):
            return NOTHING_DONE
        folder = (self._options.output / run).resolve()
        folder.mkdir(parents=True)
        (folder / _MADE).write_text(json.dumps(here), encoding="utf-8")
        report = Report(folder, sys.stdout, {"run": run, **here, "local AWS": self._local_url or "no"})
        try:
            self._check(run, folder, report)
        except KeyboardInterrupt:
            print("\nInterrupted: the stacks are being removed.", flush=True)
            report.add(Row(check="interrupted", expected="no", seen="yes", holds=False))
        finally:
            # After a defect of a check too.
            self._remove(run, folder, report)
        print(f"\nThe report is in {folder}: report.md and report.json; the CDK's output is in cdk.log.")
        return HOLDS if report.holds else DIFFERS

    def _check(self, run: str, folder: Path, report: Report) -> None:
        options = self._options
        domain = {"domain": options.domain, "certificate": options.certificate} if options.domain else {}
        here = {"account": options.account, "region": self._region}
        cdk = self._cdk(
            folder,
            name=run,
            context={"name": run, "product_code": options.product_code, **here, **domain},
            region=self._region,
            credentials=self._credentials,
        )
        try:
            outputs = cdk.deploy()
        except CdkError as error:
            report.add(Row(check=DEPLOYMENT, expected="the stacks are made", seen=str(error), holds=False))
            return
        subject = Subject(
            name=run,
            region=self._region,
            local_url=self._local_url,
            outputs={stack.removeprefix(f"{run}-"): values for stack, values in outputs.items()},
            client=self._client,
            http=Http(self._session.get_config_variable("ca_bundle")),
            cdk=cdk,
            product_code=options.product_code,
            domain=options.domain or "",
            released=options.released,
            clock=self._clock,
        )
        run_checks(self._checks, subject, report)

    def _remove(self, run: str, folder: Path, report: Report) -> None:
        try:
            left = Cleaning(self._client, self._clock).remove(run)
        except BaseException:
            print(f"Some of {run} may be left: the same command with --clean removes it.", file=sys.stderr)
            raise
        report.add(Row(check=NOTHING_LEFT, expected="every stack deleted, nothing left", **asdict(left)))
        if left.holds:
            (folder / _MADE).unlink()

    def _agreed(self, question: str) -> bool:
        return self._options.yes or agreed(question, self._ask)

    def _is_here(self, made: Path) -> bool:
        content = json.loads(made.read_text(encoding="utf-8"))
        return bool(content == {"account": self._options.account, "region": self._region})

    def _credentials(self) -> tuple[str, str, str]:
        frozen = self._session.get_credentials().get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m constructs_lib.verify",
        description="Deploy the constructs to your AWS account, check what only AWS can show, and remove them again.",
    )
    add = parser.add_argument
    add("--account", help="the account in which stacks may be made; the credentials must belong to it")
    add("--profile", help="AWS profile (default: what every AWS SDK finds)")
    add("--region", help="where the stacks are made (default: the profile's)")
    add("--product-code", default=PRODUCT_CODE, help="one of your products (default: a made-up one)")
    add("--domain", help="a custom domain that no API has yet; its DNS is neither changed nor needed")
    add("--certificate", help="ARN of the domain's certificate, in the same region")
    add("--released", type=Path, help="a recorded release to upgrade from, such as tests/e2e/released/0.1.0.zip")
    add("--output", type=Path, default=Path("verify"), help="folder of the reports (default: %(default)s)")
    add("--clean", action="store_true", help="only remove what earlier runs left behind")
    add("--yes", action="store_true", help="ask nothing; for the local AWS only")
    return parser


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
