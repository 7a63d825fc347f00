"""The CDK command line, which reads nothing of the machine's own AWS configuration, nor `~/.cdk.json`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FOREIGN_PREFIXES = ("AWS_", "CDK_", "PYTHON")
_FOREIGN_SUFFIXES = ("_CA_BUNDLE", "_PROXY")
_FOREIGN_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS")


def environment(folder: Path, project: Path) -> dict[str, str]:
    """Return the environment variables of the command line, which has no credentials, and does not look for any.

    Args:
        folder: what the command line takes for the home folder, and where it writes.
        project: has the command line in its `node_modules`, unless that is on the PATH.
    """
    return {
        **{name: value for name, value in os.environ.items() if not _is_foreign(name.upper())},
        "PATH": os.pathsep.join(
            [sysconfig.get_path("scripts"), str(project / "node_modules/.bin"), os.environ.get("PATH", os.defpath)]
        ),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_HOME": str(folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        "CDK_DISABLE_VERSION_CHECK": "1",
    }


def run(
    arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], seconds: float | None = None
) -> tuple[int, str]:
    """Run the command line.

    Args:
        arguments: the command and its options.
        cwd: where the app, if any, has its `cdk.json`.
        environment: as `environment()` returns it, or more.
        seconds: how long it may take; by default as long as it takes.

    Returns:
        the exit status and the output.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    with subprocess.Popen(  # noqa: S603 - the caller's own command
        ["cdk", *arguments, "--no-notices", "--no-color"],  # noqa: S607 - whichever cdk the seller has
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException:
            # Kill the group: otherwise the app would survive and write into a folder that is being removed.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return process.returncode, output


def app(command: str) -> str:
    """Return the command line's `--app`: the command with the real home folder, where the CDK's caches are.

    A folder that holds what an app has synthesized is left as it is.
    """
    if Path(command).is_dir():
        return command
    return f"HOME={shlex.quote(str(Path.home()))} {command}"


def _is_foreign(name: str) -> bool:
    return name.startswith(_FOREIGN_PREFIXES) or name.endswith(_FOREIGN_SUFFIXES) or name in _FOREIGN_NAMES
