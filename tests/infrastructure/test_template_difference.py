from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infrastructure.template_difference import difference

BEFORE: dict[str, Any] = {
    "Resources": {
        "Table": {"Type": "Table", "DeletionPolicy": "Retain", "Properties": {"Keys": ["account"], "Protected": True}},
        "Alarm": {"Type": "Alarm", "Properties": {"Description": "Call the operator.", "Threshold": 1}},
    }
}

ADDED = {"op": "add", "path": "/Resources/Topic", "value": {"Type": "Topic"}}
REMOVED = {"op": "remove", "path": "/Resources/Alarm"}
CHANGED = {"op": "replace", "path": "/Resources/Table/Properties/Keys", "value": ["account", "license"]}
NEW_PROPERTY = {"op": "add", "path": "/Resources/Alarm/Properties/Period", "value": 300}
LOST_PROPERTY = {"op": "remove", "path": "/Resources/Table/DeletionPolicy"}
TRUE_FOR_ONE = {"op": "replace", "path": "/Resources/Alarm/Properties/Threshold", "value": True}
ESCAPED = {"op": "add", "path": "/Resources/Table/Properties/~0a~1b", "value": 1}


def applied(operations: list[dict[str, Any]], document: Any) -> Any:
    """Apply a JSON Patch to a copy of a document, as far as `difference` uses JSON Patch."""
    root = {"": copy.deepcopy(document)}
    for operation in operations:
        parent: Any = root
        *parts, last = operation["path"].split("/")
        for part in parts:
            parent = parent[part.replace("~1", "/").replace("~0", "~")]
        last = last.replace("~1", "/").replace("~0", "~")
        if operation["op"] == "add":
            assert last not in parent
        else:
            del parent[last]
        if operation["op"] != "remove":
            parent[last] = operation["value"]
    return root[""]


@pytest.mark.parametrize(
    "operation", [ADDED, REMOVED, CHANGED, NEW_PROPERTY, LOST_PROPERTY, TRUE_FOR_ONE, ESCAPED], ids=lambda o: o["path"]
)
def test_a_single_change_is_shown_and_nothing_else_is(operation: dict[str, Any]) -> None:
    assert difference(BEFORE, applied([operation], BEFORE)) == [operation]


def test_equal_templates_do_not_differ() -> None:
    assert difference(BEFORE, copy.deepcopy(BEFORE)) == []


def test_a_change_of_both_templates_is_not_shown() -> None:
    after = applied([ADDED, CHANGED], BEFORE)
    alarm_text = {"op": "replace", "path": "/Resources/Alarm/Properties/Description", "value": "Call someone."}

    assert difference(applied([alarm_text], BEFORE), applied([alarm_text], after)) == difference(BEFORE, after)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3)
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_difference_applied_to_the_one_template_gives_the_other(before: Any, after: Any) -> None:
    # As text, since Python takes true for 1.
    assert json.dumps(applied(difference(before, after), before), sort_keys=True) == json.dumps(after, sort_keys=True)
