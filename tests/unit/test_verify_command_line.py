"""The command as a whole, in an account in memory: what it asks, makes, reports and removes."""

from __future__ import annotations

import json
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.verify import _command_line
from constructs_lib.verify._cdk import CdkError
from constructs_lib.verify._check import Check, Result
from constructs_lib.verify._command_line import DIFFERS, HOLDS, INTERRUPTED, NOTHING_DONE, Program, main
from constructs_lib.verify._guard import RefusedError
from tests.verify_world import ACCOUNT, REGION, RUN, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from constructs_lib.verify._deadline import Deadline
    from constructs_lib.verify._subject import Subject

ARGUMENTS = ["--account", ACCOUNT, "--region", REGION]


class Account(World):
    """An account in which no stack stands yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__({}, folder)
        self.answer = "yes"
        self.checked: list[Subject] = []
        self.result: Result | BaseException = Result(seen="as it should be", holds=True)
        self.deployment: BaseException | None = None
        self.credentials: tuple[str, str, str] | None = None
        self.context: dict[str, str] = {}

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT}

    # --- The session.

    def create_client(self, _service: str, region_name: str, config: Any) -> Account:
        assert region_name == REGION
        assert config.retries["total_max_attempts"] == 10
        return self

    def get_config_variable(self, name: str) -> str | None:
        return {"region": REGION, "ca_bundle": None}[name]

    def get_credentials(self) -> Any:
        frozen = SimpleNamespace(access_key="key", secret_key="secret", token=None)
        return SimpleNamespace(get_frozen_credentials=lambda: frozen)

    # --- The CDK.

    def cdk(
        self, folder: Path, *, name: str, context: dict[str, str], region: str, credentials: Callable[[], Any]
    ) -> Any:
        assert folder.name == name
        assert region == REGION
        self.credentials, self.context = credentials(), context

        def deploy() -> dict[str, dict[str, str]]:
            self.statuses[f"{name}-main"] = "CREATE_IN_PROGRESS"
            if self.deployment:
                raise self.deployment
            return {f"{name}-main": {"ApiId": "api"}}

        return SimpleNamespace(deploy=deploy)

    def check(self, subject: Subject, _deadline: Deadline) -> Result:
        self.checked.append(subject)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> int:
        options = _command_line._parser().parse_args([*ARGUMENTS, "--output", str(self.folder), *arguments])
        check = Check(name="the-check", expected="as it should be", seconds=1, run=self.check)
        return Program(
            options,
            environment=environment or {},
            session=self,
            ask=lambda _: self.answer,
            cdk=self.cdk,
            checks=[check],
            clock=self.clock,
        ).run()

    def report(self) -> dict[str, Any]:
        (path,) = self.folder.glob("*/report.json")
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def made(self) -> list[Path]:
        return list(self.folder.glob("*/made.json"))


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


def test_it_says_what_it_does_and_leaves_nothing(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    assert account.run() == HOLDS

    printed = capsys.readouterr().out
    report = account.report()
    assert f"Account {ACCOUNT}, region {REGION}" in printed
    assert "costs less than $1" in printed
    assert report["account"] == ACCOUNT
    assert [row["check"] for row in report["checks"]] == ["the-check", "nothing-left"]
    assert account.checked[0].outputs == {"main": {"ApiId": "api"}}
    assert account.statuses == {}
    assert account.made() == []
    assert account.credentials == ("key", "secret", "")


def test_without_a_yes_nothing_is_made(account: Account) -> None:
    account.answer = "no"

    assert account.run() == NOTHING_DONE
    assert list(account.folder.iterdir()) == []
    assert account.context == {}


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--account", "111122223333"], {}, "111122223333 was named"),
        ([], {"CI": "true"}, "CI is set"),
        (["--yes"], {}, "--yes"),
        (["--domain", "buy.example.com"], {}, "neither without the other"),
    ],
)
def test_what_it_refuses_makes_nothing(
    account: Account, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        account.run(*arguments, environment=environment)

    assert list(account.folder.iterdir()) == []


def test_a_region_is_required(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "get_config_variable", lambda _: None)

    with pytest.raises(RefusedError, match="--region: required"):
        account.run("--region", "")


def test_the_local_aws_is_not_asked_about(account: Account) -> None:
    account.answer = "no"

    assert account.run("--yes", environment={"AWS_ENDPOINT_URL": "https://127.0.0.1:1", "CI": "1"}) == HOLDS
    assert account.checked[0].local


def test_the_custom_domain_reaches_the_stacks(account: Account) -> None:
    account.run("--domain", "buy.example.com", "--certificate", "arn:certificate")

    assert account.context["domain"] == account.checked[0].domain == "buy.example.com"
    assert account.context["certificate"] == "arn:certificate"


def test_a_check_that_does_not_hold_is_the_exit_status(account: Account) -> None:
    account.result = Result(seen="different", holds=False)

    assert account.run() == DIFFERS
    assert account.statuses == {}


def test_a_deployment_that_fails_is_reported_and_removed(account: Account) -> None:
    account.deployment = CdkError("cdk deploy failed with 1: … ROLLBACK_COMPLETE")

    assert account.run() == DIFFERS
    assert [(row["check"], row["holds"]) for row in account.report()["checks"]] == [
        ("deployment", False),
        ("nothing-left", True),
    ]
    assert account.statuses == {}


@pytest.mark.parametrize("during", ["deployment", "result"])
def test_an_interrupted_run_removes_what_it_made(account: Account, during: str) -> None:
    setattr(account, during, KeyboardInterrupt())

    assert account.run() == DIFFERS
    assert [row["check"] for row in account.report()["checks"]] == ["interrupted", "nothing-left"]
    assert account.statuses == {}
    assert account.made() == []


def test_a_defect_of_a_check_is_no_reason_to_leave_anything(account: Account) -> None:
    account.result = KeyError("a member that AWS does not have")

    with pytest.raises(KeyError):
        account.run()

    assert [row["check"] for row in account.report()["checks"]] == ["nothing-left"]
    assert (account.statuses, account.made()) == ({}, [])


def test_a_removal_that_is_interrupted_says_what_to_do_and_clean_does_it(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(account, "delete_stack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            account.run()
    (made,) = account.made()
    assert "the same command with --clean" in capsys.readouterr().err
    account.faults.add("untagged")

    assert account.run("--clean") == HOLDS
    assert capsys.readouterr().out == f"{made.parent.name}: 1 stacks deleted, nothing left\n"
    assert (account.statuses, account.made()) == ({}, [])


def test_what_is_left_keeps_its_file_and_a_later_clean_tries_again(account: Account) -> None:
    account.faults.add("a stack stays")

    assert account.run() == DIFFERS
    assert account.run("--clean") == DIFFERS
    assert len(account.made()) == 1
    account.faults.clear()
    assert account.run("--clean") == HOLDS
    assert account.made() == []


def test_clean_finds_stacks_without_a_file_by_their_tag(account: Account) -> None:
    account.statuses[f"{RUN}-main"] = "CREATE_COMPLETE"

    assert account.run("--clean") == HOLDS
    assert account.statuses == {}


def test_clean_asks_too(account: Account) -> None:
    account.statuses[f"{RUN}-main"] = "CREATE_COMPLETE"
    account.answer = "no"

    assert account.run("--clean") == NOTHING_DONE
    assert f"{RUN}-main" in account.statuses


def test_clean_leaves_the_files_of_other_accounts_alone(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    folder = account.folder / "mr-verify-ffffffff"
    folder.mkdir()
    (folder / "made.json").write_text(json.dumps({"account": "111122223333", "region": REGION}))

    assert account.run("--clean") == HOLDS
    assert capsys.readouterr().out == "Nothing is left.\n"
    assert len(account.made()) == 1


@pytest.fixture
def own_signals() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("own_signals")
def test_a_refusal_is_one_line_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    assert main(ARGUMENTS) == NOTHING_DONE
    assert capsys.readouterr().err.startswith("verify: CI is set: ")


@pytest.mark.usefixtures("own_signals")
def test_a_terminated_command_is_an_interrupted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "run", lambda _: signal.raise_signal(signal.SIGTERM))

    assert main(ARGUMENTS) == INTERRUPTED
