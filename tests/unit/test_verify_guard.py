"""In which account, and on whose word, anything is made."""

from __future__ import annotations

import pytest

from constructs_lib.verify._guard import RefusedError, agreed, local_url, refuse

ACCOUNT, ANOTHER = "111122223333", "444455556666"


def test_the_account_that_was_named_is_accepted() -> None:
    refuse(account=ACCOUNT, caller=lambda: ACCOUNT, yes=False, environment={}, local=False)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"environment": {"CI": "true"}}, "CI is set"),
        ({"yes": True}, "--yes: for the local AWS only"),
        ({"account": None}, "--account: required"),
        ({"account": ""}, "--account: required"),
        ({"account": ANOTHER}, f"{ANOTHER} was named, but the credentials belong to {ACCOUNT}"),
    ],
)
def test_everything_else_is_refused(changed: dict[str, object], says: str) -> None:
    given: dict[str, object] = {"account": ACCOUNT, "yes": False, "environment": {}, **changed}

    with pytest.raises(RefusedError, match=says):
        refuse(caller=lambda: ACCOUNT, local=False, **given)  # type: ignore[arg-type] # the cases have several types


def test_nothing_is_asked_of_aws_in_ci() -> None:
    def caller() -> str:
        raise AssertionError

    with pytest.raises(RefusedError):
        refuse(account=ACCOUNT, caller=caller, yes=False, environment={"CI": "1"}, local=False)


def test_on_the_local_aws_it_runs_in_ci_and_without_a_question() -> None:
    refuse(account=ACCOUNT, caller=lambda: ACCOUNT, yes=True, environment={"CI": "true"}, local=True)


def test_even_there_the_account_must_be_the_one_that_was_named() -> None:
    with pytest.raises(RefusedError, match="was named"):
        refuse(account=ANOTHER, caller=lambda: ACCOUNT, yes=True, environment={}, local=True)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("https://[::1]:4566", True),
        ("https://127.0.0.1.example.com", False),
        ("https://vpce-0123.sts.us-east-1.vpce.amazonaws.com", False),
        ("", False),
    ],
)
def test_the_local_aws_is_one_on_loopback(url: str, *, local: bool) -> None:
    assert local_url({"AWS_ENDPOINT_URL": url}) == (url if local else "")


@pytest.mark.parametrize(("answer", "yes"), [("yes", True), (" yes\n", True), ("y", False), ("", False), ("no", False)])
def test_only_yes_is_a_yes(answer: str, *, yes: bool) -> None:
    answers = {"Make them? Type yes to go on: ": answer}

    assert agreed("Make them?", answers.__getitem__) is yes


def test_no_terminal_is_a_no() -> None:
    def ask(_: str) -> str:
        raise EOFError

    assert agreed("Make them?", ask) is False
