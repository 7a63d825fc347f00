"""The difference between two templates, as a JSON Patch (RFC 6902) that is short enough to be read."""

from __future__ import annotations

import json
from typing import Any


def difference(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Return the operations that turn one template into the other, in the order of their paths.

    Objects are compared member by member, so a changed property is shown without the rest of its resource. Everything
    else, lists included, is replaced as a whole.
    """
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if _text(before) == _text(after) else [{"op": "replace", "path": path, "value": after}]
    operations = []
    for name in sorted(before.keys() | after.keys()):
        member = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in after:
            operations.append({"op": "remove", "path": member})
        elif name not in before:
            operations.append({"op": "add", "path": member, "value": after[name]})
        else:
            operations += difference(before[name], after[name], member)
    return operations


def _text(part: Any) -> str:
    # Unlike Python's ==, JSON tells true from 1, also within a list.
    return json.dumps(part, sort_keys=True)
