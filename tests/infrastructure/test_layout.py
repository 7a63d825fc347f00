"""A name that is not exported is visibly private: it lives below a path component that begins with an underscore."""

from __future__ import annotations

import symtable
import sys
from pathlib import Path

import pytest

import constructs_lib
from constructs_lib import claims, testing

ROOT = Path(constructs_lib.__file__).parent
# pytest finds fixtures and hooks by name, in the module that the entry point names.
FIXTURES = {"claim_stand_in", "local_aws", "marketplace_stand_in", "pytest_addoption"}
EXPORTED = {*constructs_lib.__all__, *claims.__all__, *testing.__all__, *FIXTURES}
PUBLIC_MODULES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts)
]


def public_names(source: str) -> set[str]:
    """Return the names without a leading underscore that a module defines, imports excluded."""
    symbols = symtable.symtable(source, "<module>", "exec").get_symbols()
    names = {symbol.get_name() for symbol in symbols if symbol.is_assigned() and not symbol.is_imported()}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize(
    "source",
    [
        "shown = 1",
        "shown: int = 1",
        "_hidden, shown = 1, 2",
        "def shown(): hidden = 1",
        "async def shown(): pass",
        "class shown: hidden = 1",
        "if __name__:\n    shown = 1",
        "from shown import hidden\nimport hidden_too\nshown = hidden",
    ],
)
def test_every_kind_of_definition_is_found(source: str) -> None:
    assert public_names(source) == {"shown"}


@pytest.mark.parametrize("path", PUBLIC_MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_public_module_defines_exported_names_only(path: Path) -> None:
    assert public_names(path.read_text(encoding="utf-8")) <= EXPORTED


def test_every_exported_name_lives_in_a_public_module() -> None:
    defined = [name for path in PUBLIC_MODULES for name in public_names(path.read_text(encoding="utf-8"))]

    # Exactly once each.
    assert sorted(defined) == sorted(EXPORTED)


def test_a_construct_without_the_cdk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "constructs_lib.marketplace_seller_role", raising=False)
    monkeypatch.setitem(sys.modules, "aws_cdk", None)

    with pytest.raises(ModuleNotFoundError) as missing:
        _ = constructs_lib.MarketplaceSellerRole

    assert str(missing.value) == "MarketplaceSellerRole needs the AWS CDK: pip install 'marketplace-registration[cdk]'"


def test_another_missing_module_is_not_blamed_on_the_cdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(constructs_lib._MODULES, "MarketplaceSellerRole", "missing")

    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'constructs_lib\.missing'$"):
        _ = constructs_lib.MarketplaceSellerRole
