"""What is removed, and what is not touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from constructs_lib.verify._cleaning import Cleaning
from tests.verify_world import RUN, World, error

if TYPE_CHECKING:
    from pathlib import Path

EMPTY: dict[str, Any] = {"Resources": {}, "Outputs": {}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World({"main": EMPTY, "512": EMPTY}, tmp_path)


def clean(world: World) -> Cleaning:
    return Cleaning(world.client, world.clock)


def test_the_stacks_of_a_run_are_removed_and_no_others(world: World) -> None:
    others = {
        "Seller": "CREATE_COMPLETE",
        "mr-verify-ffffffff-main": "CREATE_COMPLETE",
        "mr-verify-mine": "UPDATE_COMPLETE",
    }
    world.statuses.update(others)

    result = clean(world).remove(RUN)

    assert (result.holds, result.seen) == (True, "2 stacks deleted, nothing left")
    assert world.statuses == others


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS", "ROLLBACK_FAILED"])
def test_a_stack_is_removed_in_whatever_state_an_interruption_left_it(world: World, status: str) -> None:
    world.statuses[f"{RUN}-main"] = status

    assert clean(world).remove(RUN).holds
    assert world.statuses == {}


def test_runs_are_found_by_their_tags(world: World) -> None:
    world.statuses["mr-verify-ffffffff-main"] = "CREATE_COMPLETE"
    world.statuses["Seller"] = "CREATE_COMPLETE"

    # The other's tag, in this account in memory, is that of the first.
    assert clean(world).runs() == {RUN}
    world.faults.add("untagged")
    assert clean(world).runs() == set()


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("a stack stays", f"{RUN}-main: DELETE_FAILED; {RUN}-512: DELETE_FAILED"),
        ("a stack is never deleted", f"{RUN}-main: DELETE_IN_PROGRESS; {RUN}-512: DELETE_IN_PROGRESS"),
    ],
)
def test_a_stack_that_is_not_deleted_is_named(world: World, fault: str, seen: str) -> None:
    world.faults.add(fault)

    result = clean(world).remove(RUN)

    assert (result.holds, result.seen) == (False, seen)


def test_what_a_deleted_stack_leaves_behind_is_named(world: World) -> None:
    world.leftovers.append(f"{RUN}-main-RegistrationStoreRegistrations")

    result = clean(world).remove(RUN)

    assert (result.holds, result.seen) == (False, f"left: dynamodb {RUN}-main-RegistrationStoreRegistrations")


def test_a_refusal_is_no_proof_that_a_stack_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(StackName: str | None = None) -> dict[str, object]:  # noqa: N803 - botocore's
        if StackName:
            raise error("AccessDenied")
        return World.describe_stacks(world)

    monkeypatch.setattr(world, "describe_stacks", refused)

    with pytest.raises(Exception, match="AccessDenied"):
        clean(world).remove(RUN)
