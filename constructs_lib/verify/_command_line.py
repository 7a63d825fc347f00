"""From the arguments to the report: guard, deploy, check, remove."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.verify._cdk import Cdk, CdkError
from constructs_lib.verify._check import CLOCK
from constructs_lib.verify._checks import CHECKS
from constructs_lib.verify._cleaning import Cleaning
from constructs_lib.verify._guard import RefusedError, agreed, local_url, refuse
from constructs_lib.verify._http import Http
from constructs_lib.verify._names import NOTHING_LEFT, PREFIX, PRODUCT_CODE
from constructs_lib.verify._report import Report, Row
from constructs_lib.verify._running import run_checks
from constructs_lib.verify._subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MADE = "made.json"
"""Says what a run makes, from before it is made until nothing is left."""

_WILL_MAKE = """\
Account {account}, region {region}. This makes the stacks {run}-main, {run}-512, {run}-1024 and, with --released,
{run}-released: APIs, functions, tables, queues, a topic, alarms and logs, all with removal policy DESTROY. It sends a
few hundred requests, with made-up tokens and buyers, and removes the stacks after about 30 minutes.
It costs less than $1 at list prices, if CloudWatch bills metrics by the hour; docs/real-account.md has the sum.
"""


def main(arguments: Sequence[str]) -> int:
    """Run, and return the exit status: 0 if everything holds, 1 if not, 2 if nothing was done."""
    options = _parser().parse_args(arguments)
    # Ctrl-C and the end of a terminal's session alike leave nothing behind.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _Program(options, os.environ).run()
    except (RefusedError, BotoCoreError, ClientError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2


class _Program:
    def __init__(self, options: argparse.Namespace, environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment
        self._local_url = local_url(environment)
        self._session = botocore.session.Session(profile=options.profile)
        self._region: str = options.region or self._session.get_config_variable("region") or ""
        self._clients: dict[str, Any] = {}

    def run(self) -> int:
        if not self._region:
            raise RefusedError("--region: required, unless the profile has one")
        refuse(
            account=self._options.account,
            caller=lambda: self._client("sts").get_caller_identity()["Account"],
            yes=self._options.yes,
            environment=self._environment,
            local=bool(self._local_url),
        )
        return self._clean() if self._options.clean else self._verify()

    def _clean(self) -> int:
        cleaning = Cleaning(self._client, CLOCK)
        made = {path.parent.name: path for path in self._options.output.glob(f"*/{_MADE}") if self._is_here(path)}
        runs = sorted({*made, *cleaning.runs()})
        if not runs:
            print("Nothing is left.")
            return 0
        if not self._agreed(f"Account {self._options.account}, region {self._region}: remove {', '.join(runs)}?"):
            return 2
        results = {run: cleaning.remove(run) for run in runs}
        for run, result in results.items():
            print(f"{run}: {result.seen}")
            if result.holds and run in made:
                made[run].unlink()
        return 0 if all(result.holds for result in results.values()) else 1

    def _verify(self) -> int:
        run = PREFIX + secrets.token_hex(4)
        print(_WILL_MAKE.format(account=self._options.account, region=self._region, run=run))
        if not self._agreed("Make them?"):
            return 2
        folder: Path = self._options.output / run
        folder.mkdir(parents=True)
        here = {"account": self._options.account, "region": self._region}
        (folder / _MADE).write_text(json.dumps({"run": run, **here}), encoding="utf-8")
        report = Report(folder, sys.stdout, {"run": run, **here, "local AWS": str(bool(self._local_url)).lower()})
        try:
            self._check(run, folder, report)
        except KeyboardInterrupt:
            print("\nInterrupted: the stacks are being removed.", flush=True)
            report.add(Row(check="interrupted", expected="no", seen="yes", holds=False))
        try:
            left = Cleaning(self._client, CLOCK).remove(run)
        except BaseException:
            print(f"The stacks of {run} are still there: the same command with --clean removes them.", file=sys.stderr)
            raise
        report.add(Row(check=NOTHING_LEFT, expected="every stack deleted, nothing left", **asdict(left)))
        if left.holds:
            (folder / _MADE).unlink()
        print(f"\nThe report is in {folder}: report.md, report.json; the CDK's output in cdk.log.")
        return 0 if report.holds else 1

    def _check(self, run: str, folder: Path, report: Report) -> None:
        context = {
            "name": run,
            "account": self._options.account,
            "region": self._region,
            "product_code": self._options.product_code,
            **(
                {"domain": self._options.domain, "certificate": self._options.certificate}
                if self._options.domain
                else {}
            ),
        }
        cdk = Cdk(folder, name=run, context=context, region=self._region, credentials=self._credentials)
        try:
            outputs = cdk.deploy()
        except CdkError as error:
            report.add(Row(check="deployment", expected="the stacks are made", seen=str(error), holds=False))
            return
        subject = Subject(
            name=run,
            region=self._region,
            local_url=self._local_url,
            outputs={stack.removeprefix(f"{run}-"): values for stack, values in outputs.items()},
            client=self._client,
            http=Http(self._session.get_config_variable("ca_bundle")),
            cdk=cdk,
            product_code=self._options.product_code,
            domain=self._options.domain or "",
            released=self._options.released,
        )
        run_checks(CHECKS, subject, report)

    def _agreed(self, question: str) -> bool:
        return self._options.yes or agreed(question, input)

    def _is_here(self, made: Path) -> bool:
        content = json.loads(made.read_text(encoding="utf-8"))
        return (content["account"], content["region"]) == (self._options.account, self._region)

    def _client(self, service: str, region: str = "") -> Any:
        key = f"{service} {region}"
        if key not in self._clients:
            self._clients[key] = self._session.create_client(service, region_name=region or self._region)
        return self._clients[key]

    def _credentials(self) -> tuple[str, str, str]:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise RefusedError("there are no credentials any more")
        frozen = credentials.get_frozen_credentials()
        return str(frozen.access_key), str(frozen.secret_key), frozen.token or ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m constructs_lib.verify",
        description="Deploys the constructs to your AWS account, checks what only AWS can show, and removes them.",
    )
    add = parser.add_argument
    add("--account", help="the account in which stacks may be made; the credentials must belong to it")
    add("--profile", help="the AWS profile; by default, what every AWS SDK finds")
    add("--region", help="where the stacks are made; by default, the profile's")
    add(
        "--product-code",
        default=PRODUCT_CODE,
        help="one of your products, for what Marketplace answers about it; by default made up",
    )
    add("--domain", help="a custom domain for one of the APIs; no DNS is changed, and none is needed")
    add("--certificate", help="ARN of the domain's certificate, in the same region")
    add("--released", type=Path, help="a recorded release to upgrade from, tests/e2e/released/0.1.0.zip of a checkout")
    add(
        "--output",
        type=Path,
        default=Path("verify"),
        help="the folder of reports, and of what has been made (%(default)s)",
    )
    add("--clean", action="store_true", help="only remove what earlier runs left behind")
    add("--yes", action="store_true", help="ask nothing; for the local AWS only")
    return parser


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
