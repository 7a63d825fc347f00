"""Every file that is made from code is as `make generate` would write it."""

from __future__ import annotations

import pytest

from docs.__main__ import GENERATED, ROOT, without_source
from docs.markers import between_markers


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_current(name: str) -> None:
    content = (ROOT / name).read_text(encoding="utf-8")

    assert GENERATED[name](content) == content, "run make generate"


def test_no_generated_file_has_lost_its_source() -> None:
    assert without_source() == [], "run make generate"


def test_a_page_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match="cost: generated"):
        between_markers("<!-- /cost -->\n", "cost", "| table |\n")
