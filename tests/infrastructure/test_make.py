"""The Makefile, run in a copy of the project whose path has a space."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = sorted(set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE)))
DEMO = [".venv/.demo", ".local-aws/.installed", "node_modules/.demo"]
INSTALLED = [*DEMO, ".venv/.installed", ".lowest/.installed", "node_modules/.installed"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project without anything that is installed."""
    folder = tmp_path / "a b"
    folder.mkdir()
    for name in ("Makefile", "app.py", "cdk.json", "package.json", "package-lock.json", "pyproject.toml", ".npmrc"):
        shutil.copy(ROOT / name, folder)
    for name in ("constructs_lib", "lambda_src", "local", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def variables(**changed: str) -> dict[str, str]:
    # What a make that runs these tests tells to the makes that it starts is not for these.
    kept = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return {**kept, "PYTHON": sys.executable, **changed}


def start(folder: Path, *arguments: str, **changed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", *arguments],
        cwd=folder,
        env=variables(**changed),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def make(folder: Path, *arguments: str, **changed: str) -> tuple[int, str]:
    process = start(folder, *arguments, **changed)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def dry_run(folder: Path, target: str) -> str:
    status, output = make(folder, "--dry-run", target)
    assert status == 0, output
    return output


def use_this_environment(folder: Path) -> None:
    """Let the copy have what the tests run with, in place of an installation of its own."""
    (folder / ".venv").mkdir()
    for name in ("bin", "lib"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder / ".venv")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")


def without_packages(folder: Path) -> None:
    """Let the copy's environments have no package, so that they are made without a network."""
    for path in (folder / "requirements").iterdir():
        path.write_text("")


# --- A path with a space.


@pytest.mark.parametrize("target", TARGETS)
def test_no_command_splits_a_path_with_a_space(folder: Path, target: str) -> None:
    words = shlex.split(dry_run(folder, target), comments=True)

    assert [word for word in words if str(folder.parent / "a") in word and str(folder) not in word] == []


def test_an_environment_is_made_in_a_path_with_a_space(folder: Path) -> None:
    without_packages(folder)

    status, output = make(folder, *DEMO[:1], ".venv/.installed", ".lowest/.installed")

    assert status == 0, output
    assert subprocess.run([folder / ".venv/bin/pip", "--version"], capture_output=True, check=True).stdout


# --- What is installed, and how.


def requirements(name: str) -> set[str]:
    """Return the pinned packages, each with its hashes."""
    return set(re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text(encoding="utf-8").strip()))


def test_the_demos_packages_are_pinned_as_the_tests_packages_are() -> None:
    assert requirements("demo.txt") < requirements("dev.txt")


@pytest.mark.parametrize("target", ["demo", "local", "synth"])
def test_the_demo_installs_only_what_it_needs(folder: Path, target: str) -> None:
    commands = dry_run(folder, target)

    assert "-r requirements/demo.txt" in commands
    assert "--omit=dev" in commands
    assert "requirements/dev.txt" not in commands
    assert "requirements/lowest.txt" not in commands


def test_the_demo_imports_no_other_package() -> None:
    pinned = {package.partition("==")[0] for package in requirements("demo.txt")}
    others = [
        module
        for module, names in packages_distributions().items()
        if not any(re.sub(r"[-_.]+", "-", name).lower() in pinned for name in names)
    ]
    assert "moto" in others

    # Every other module fails to import.
    code = (
        f"import runpy, sys; sys.modules |= dict.fromkeys(set({others!r}) - sys.modules.keys());"
        "import local.demo, local.stay, local.synth; runpy.run_path('app.py', run_name='__main__')"
    )
    context = json.dumps({"product_code": "p", "landing_page": "https://example.com"})
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stamp", INSTALLED)
def test_each_installation_says_what_it_does(folder: Path, stamp: str) -> None:
    lines = make(
        folder, "--dry-run", "INSTALLING=1", *(f"--old-file={each}" for each in INSTALLED if each != stamp), stamp
    )

    said = re.search(r'^echo "Installing .* into (\S+) \(about \d+ MB\) …"\n', lines[1], re.MULTILINE)
    assert said, lines[1]
    assert stamp.startswith(said[1])
    assert re.search(r"pip install|npm-cli", lines[1][said.end() :])


def test_what_is_installed_for_the_demo_stays_when_the_rest_is_installed(folder: Path) -> None:
    for stamp in INSTALLED:
        (folder / stamp).parent.mkdir(exist_ok=True)
        (folder / stamp).touch()

    assert "Installing" not in dry_run(folder, "demo")
    assert "Installing" not in dry_run(folder, "unit")


def test_two_makes_at_once_install_once(folder: Path) -> None:
    without_packages(folder)

    processes = [start(folder, ".venv/.demo") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted(output.count("Installing") for output in outputs) == [0, 1], outputs
    assert "Waiting for another make, which is installing …" in "".join(outputs)


def test_a_failed_npm_ci_prints_its_error(folder: Path) -> None:
    use_this_environment(folder)
    (folder / "node_modules").unlink()

    status, output = make(
        folder,
        *("--old-file=.venv/.demo", "INSTALLING=1", "node_modules/.demo"),
        HOME=str(folder),
        npm_config_cache=str(folder / "cache"),
        npm_config_registry="http://127.0.0.1:9",
        npm_config_fetch_retries="0",
    )

    assert status != 0
    assert "npm error code ECONNREFUSED" in output
    assert not (folder / "node_modules/.demo").exists()


# --- The user's own AWS account.


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[str]]]:
    """An endpoint that records the calls that reach it."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            self.send_error(500)

        def do_PUT(self) -> None:
            self.do_POST()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
        server.shutdown()
        thread.join()


KEYS = "aws_access_key_id = A\naws_secret_access_key = S\n"
PROFILES = {
    "keys": f"[default]\n{KEYS}",
    "mfa": f"[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = s\n"
    f"mfa_serial = arn:aws:iam::111122223333:mfa/m\n[profile s]\n{KEYS}",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_synth_never_calls_the_users_account(
    folder: Path, tmp_path: Path, profile: str, recorder: tuple[str, list[str]]
) -> None:
    use_this_environment(folder)
    endpoint, calls = recorder
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"{PROFILES[profile]}region = us-east-1\nendpoint_url = {endpoint}\n")
    (tmp_path / ".cdk.json").write_text(json.dumps({"profile": "default", "context": {"product_code": "theirs"}}))
    (tmp_path / ".cache").symlink_to(Path.home() / ".cache")

    status, output = make(
        folder,
        *(f"--old-file={stamp}" for stamp in INSTALLED),
        "synth",
        HOME=str(tmp_path),
        AWS_ENDPOINT_URL=endpoint,
        AWS_ENDPOINT_URL_STS=endpoint,
        AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint,
    )

    assert status == 0, output
    assert "cdk.out holds the template" in output
    assert "MFA" not in output
    assert json.loads((folder / "cdk.out/Seller.template.json").read_text())["Resources"]
    assert calls == []


# --- What the machine must have.


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "browser"])
def test_only_make_browser_installs_a_system_package(folder: Path, target: str) -> None:
    assert "apt-get" not in dry_run(folder, target)


def test_make_browser_installs_a_system_package(folder: Path) -> None:
    assert "apt-get" in dry_run(folder, "browser")


def test_ci_installs_the_browser_before_the_tests() -> None:
    commands = re.findall(r"(?m)^make (\w+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"))

    assert commands == ["check", "browser", "test"]


def test_help_needs_a_shell_make_and_awk_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "make", "awk"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)

    status, output = make(folder, "help", PATH=str(tmp_path / "bin"))

    assert status == 0, output
    assert re.findall(r"^make ([a-z0-9-]+) +\S", output, re.MULTILINE) == re.findall(
        r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE
    )
