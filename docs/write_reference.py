"""The content of docs/reference.md, from the signatures and docstrings of the exports of `constructs_lib`."""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference.md"
PACKAGES = ("constructs_lib", "constructs_lib.claims", "constructs_lib.testing")

_INTRODUCTION = """\
# Reference

The public classes of `constructs_lib`, `constructs_lib.claims` and `constructs_lib.testing`: everything that their
`__all__` names, and nothing else is public. This page is made from signatures and docstrings by
[write_reference.py](write_reference.py); change those, then run `make generate`.

A construct takes `scope` and `construct_id` by position and everything else by name. An invalid value raises
`ValueError` at synth; the message gives the value and what is allowed. CDK tokens, whose values are not known at synth,
are not checked.
"""

_SECTION = re.compile(r"^(Args|Attributes|Example|Raises|Returns):$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {5,}.+)*)", re.MULTILINE)


class Docstring(NamedTuple):
    """A parsed docstring.

    Attributes:
        text: everything before the first section.
        sections: section name to its entries, each a name and a text.
    """

    text: str
    sections: dict[str, dict[str, str]]


def reference() -> str:
    """Return the content of docs/reference.md."""
    parts = [_INTRODUCTION]
    for package in PACKAGES:
        parts.append(f"## {package}\n")
        parts.extend(_node(package, node) for node in _exported(package))
    return "\n".join(parts)


def _exported(package: str) -> Iterator[ast.ClassDef | ast.Assign]:
    """Find the exports of a package, in the order of its ``__all__``."""
    folder = ROOT.joinpath(*package.split("."))
    (names,) = (
        ast.literal_eval(node.value)
        for node in _statements(folder / "__init__.py")
        if isinstance(node, ast.Assign) and _target(node) == "__all__"
    )
    found: dict[str, ast.ClassDef | ast.Assign] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in _statements(path):
            if isinstance(node, ast.ClassDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign):
                found[_target(node)] = node
    for name in names:
        exported = found[name]
        if isinstance(exported, ast.ClassDef):
            _inherit(exported, found)
        yield exported


def _inherit(node: ast.ClassDef, found: dict[str, ast.ClassDef | ast.Assign]) -> None:
    """Add the members of our base classes, which are not exported, to the class."""
    for base in (found.get(ast.unparse(base)) for base in node.bases):
        if isinstance(base, ast.ClassDef):
            _inherit(base, found)
            own = {child.name for child in node.body if isinstance(child, ast.FunctionDef)}
            node.body += [
                child for child in base.body if not (isinstance(child, ast.FunctionDef) and child.name in own)
            ]


def _statements(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def _target(node: ast.Assign) -> str:
    return ast.unparse(node.targets[0])


def _node(package: str, node: ast.ClassDef | ast.Assign) -> str:
    if isinstance(node, ast.ClassDef):
        return _class(package, node)
    if not (isinstance(node.value, ast.Subscript) and isinstance(node.value.slice, ast.Tuple)):
        raise TypeError(f"{_target(node)}: only a class or a Literal can be described")
    values = ", ".join(f"`{ast.literal_eval(value)}`" for value in node.value.slice.elts)
    return f"### {_target(node)}\n\nOne of {values}.\n"


def _class(package: str, node: ast.ClassDef) -> str:
    doc = _docstring(node)
    methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
    public = {name: method for name, method in methods.items() if not name.startswith("_")}
    init = methods.get("__init__")
    if init and not (init.args.args[1:] or init.args.kwonlyargs):
        init = None
    entries = doc.sections.get("Args") or (_docstring(init).sections.get("Args") if init else None) or {}
    attributes = dict(doc.sections.get("Attributes", {}))
    parts = [
        f"### {node.name}\n",
        f"```python\nfrom {package} import {node.name}\n```\n",
        doc.text.replace("``", "`") + "\n",
    ]
    declared = [
        child
        for child in node.body
        if isinstance(child, ast.AnnAssign) and not ast.unparse(child.target).startswith("_")
    ]
    # A seller catches errors and makes none.
    if init and not node.name.endswith("Error"):
        parts.append(_parameters(node.name, init.args, entries))
    elif declared and "__init__" not in methods:
        parts.append(_fields(node.name, declared, attributes))
        attributes = {}
    for error, text in doc.sections.get("Raises", {}).items():
        parts.append(f"Raises `{error}`: {text}\n".replace("``", "`"))
    types = (
        _attribute_types(init)
        | {ast.unparse(field.target): _type(field.annotation) for field in declared}
        | {name: _type(method.returns) for name, method in public.items() if _is_property(method)}
    )
    attributes |= {name: _summary(method) for name, method in public.items() if _is_property(method)}
    if attributes:
        parts.append(
            _table(
                ("attribute", "type", "what it is"),
                [(f"`{name}`", f"`{types[name]}`", text) for name, text in attributes.items()],
            )
        )
    callables = {name: method for name, method in public.items() if not _is_property(method)}
    metrics = [method for name, method in callables.items() if name.startswith("metric")]
    others = [method for name, method in callables.items() if not name.startswith("metric")]
    if others:
        rows = [(f"`{_signature(node, method)}`", _meaning(method)) for method in others]
        parts.append(_table(("method", "what it does"), rows))
    if metrics:
        parts.append(
            "Each metric is a `cloudwatch.Metric`; its `options` are CDK's `MetricOptions`, such as `period`.\n"
        )
        rows = [
            (
                f"`{_call(method)}`",
                _summary(method).removeprefix("Return ").replace("; ``options`` are CDK's MetricOptions", ""),
            )
            for method in metrics
        ]
        parts.append(_table(("metric", "what it is"), rows))
    return "\n".join(parts)


def _parameters(owner: str, arguments: ast.arguments, entries: dict[str, str]) -> str:
    positional = [argument for argument in arguments.args if argument.arg != "self"]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + [*arguments.defaults]
    named = [*zip(positional, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    rows = []
    for argument, default in named:
        text = entries.get(argument.arg)
        if text is None and argument.arg in _EVERY_CONSTRUCT:
            text = _EVERY_CONSTRUCT[argument.arg]
        if text is None:
            raise ValueError(f"{owner}: the parameter {argument.arg} has no text in Args")
        rows.append((f"`{argument.arg}`", f"`{_type(argument.annotation)}`", _default(default), text))
    return _table(("parameter", "type", "default", "meaning"), rows)


_EVERY_CONSTRUCT = {"scope": "the stack, or any construct in it.", "construct_id": "unique in ``scope``."}


def _fields(owner: str, fields: list[ast.AnnAssign], entries: dict[str, str]) -> str:
    optional = "NotRequired"
    if any(optional in _type(field.annotation) for field in fields):
        rows = [
            (
                f"`{name}`",
                f"`{_type(field.annotation).removeprefix(f'{optional}[').removesuffix(']')}`",
                "no" if optional in _type(field.annotation) else "yes",
                entries[name],
            )
            for field in fields
            for name in [ast.unparse(field.target)]
        ]
        return _table(("key", "type", "always", "meaning"), rows)
    rows = []
    for field in fields:
        name = ast.unparse(field.target)
        if name not in entries:
            raise ValueError(f"{owner}: the field {name} has no text in Attributes")
        rows.append((f"`{name}`", f"`{_type(field.annotation)}`", _default(field.value), entries[name]))
    return _table(("parameter and attribute", "type", "default", "meaning"), rows)


def _default(default: ast.expr | None) -> str:
    return "required" if default is None else f"`{ast.unparse(default)}`"


def _docstring(node: ast.ClassDef | ast.FunctionDef) -> Docstring:
    """Parse a docstring in Google style.

    Raises:
        ValueError: there is none.
    """
    text = ast.get_docstring(node)
    if not text:
        raise ValueError(f"{node.name} has no docstring")
    head, *rest = _SECTION.split(text)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return Docstring(
        text=head.strip(),
        sections={
            name: {entry: " ".join(words.split()) for entry, words in _ENTRY.findall(body)} for name, body in pairs
        },
    )


def _is_property(method: ast.FunctionDef) -> bool:
    return "property" in map(ast.unparse, method.decorator_list)


def _summary(method: ast.FunctionDef) -> str:
    return " ".join(_docstring(method).text.split())


def _meaning(method: ast.FunctionDef) -> str:
    """Return the docstring's text and its arguments' descriptions."""
    entries = _docstring(method).sections.get("Args", {})
    listed = "; ".join(f"`{name}`: {text.rstrip('.')}" for name, text in entries.items())
    return f"{_summary(method)} {listed}." if listed else _summary(method)


def _signature(owner: ast.ClassDef, method: ast.FunctionDef) -> str:
    of = f"{owner.name}." if "classmethod" in map(ast.unparse, method.decorator_list) else ""
    return f"{of}{_call(method)} -> {_type(method.returns)}"


def _call(method: ast.FunctionDef) -> str:
    arguments = re.sub(r"^(self|cls)(, )?", "", ast.unparse(method.args))
    return f"{method.name}({arguments.replace('=', ' = ')})"


def _attribute_types(init: ast.FunctionDef | None) -> dict[str, str]:
    """Return the class of each attribute that ``__init__`` creates."""
    return {
        node.targets[0].attr: ast.unparse(node.value.func)
        for node in (ast.walk(init) if init else ())
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and isinstance(node.value, ast.Call)
    }


def _type(annotation: ast.expr | None) -> str:
    if annotation is None:
        raise ValueError("a public parameter or property has no type")
    return ast.unparse(annotation)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Convert a docstring's double backticks to Markdown, and escape the bar of a union."""
    return textwrap.dedent(text).replace("``", "`").replace("|", "\\|")
