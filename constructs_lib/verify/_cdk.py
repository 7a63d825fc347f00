"""The CDK's command line, with the credentials whose account was checked."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import constructs_lib
from constructs_lib.testing import _cdk_cli
from constructs_lib.verify._names import TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

APP = shlex.join([sys.executable, "-m", "constructs_lib.verify._stacks"])

_SECONDS = 30 * 60
_LAST_CHARACTERS = 600
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class CdkError(Exception):
    """The command failed; the message has the end of its output."""


class Cdk:
    """Deploys the stacks of one run.

    Args:
        folder: holds what is written, among it ``cdk.log``.
        name: of the run.
        context: CDK context values for the app.
        region: where the stacks are.
        credentials: returns key, secret and session token, or an empty text for the last.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        context: Mapping[str, str],
        region: str,
        credentials: Callable[[], tuple[str, str, str]],
    ) -> None:
        self.folder = folder
        self.name = name
        self._context = context
        self._region = region
        self._credentials = credentials

    def deploy(self, app: str = APP, **context: str) -> dict[str, dict[str, str]]:
        """Deploy every stack of an app, several at once.

        Args:
            app: the command, or the folder of a cloud assembly.
            context: more context values.

        Returns:
            the outputs by stack.

        Raises:
            CdkError: the command failed, or took too long.
        """
        outputs = self.folder / "outputs.json"
        options = ["--all", "--app", app, "--output", str(self.folder / "cdk.out"), "--tags", f"{TAG}={self.name}"]
        options += ["--require-approval", "never", "--concurrency", "4", "--progress", "events"]
        for name, value in {**self._context, **context}.items():
            options += ["--context", f"{name}={value}"]
        self._run(["deploy", *options, "--outputs-file", str(outputs)])
        deployed: dict[str, dict[str, str]] = json.loads(outputs.read_text(encoding="utf-8"))
        return deployed

    def _run(self, command: list[str]) -> None:
        try:
            status, output = _cdk_cli.run(command, cwd=self.folder, environment=self._environment(), seconds=_SECONDS)
        except FileNotFoundError:
            raise CdkError("there is no cdk on the PATH: npm install aws-cdk") from None
        except subprocess.TimeoutExpired:
            raise CdkError(f"cdk {command[0]} was not finished after {_SECONDS // 60} minutes") from None
        with (self.folder / "cdk.log").open("a", encoding="utf-8") as log:
            log.write(output)
        if status:
            raise CdkError(f"cdk {command[0]} failed with {status}: … {output.strip()[-_LAST_CHARACTERS:]}")

    def _environment(self) -> dict[str, str]:
        # Of these credentials the account was compared; whatever a profile says by now was not.
        foreign = {*_CREDENTIALS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
        return {
            **{name: value for name, value in os.environ.items() if name not in foreign},
            **{name: value for name, value in zip(_CREDENTIALS, self._credentials(), strict=True) if value},
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            # The app runs in the folder of the run.
            "PYTHONPATH": str(Path(constructs_lib.__file__).parents[1]),
        }
