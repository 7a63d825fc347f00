from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from resolver.pages import Pages, Text

TEXT = Text("It happened.", "Do this.")


class Read(HTMLParser):
    """The visible text and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append(tag)
        self.links += [(tag, value) for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"] or data.strip() == data:
            self.text.append(data)


def test_a_page_has_its_text_the_links_and_the_reference() -> None:
    page = Pages(support_url="https://a.example/help", login_url="https://a.example/?a=1&b=2").page(
        TEXT, reference="<id>"
    )

    read = Read(page)
    assert read.text == [
        "It happened.",
        "It happened.",
        "Do this.",
        "Contact support",
        "Log in to your account",
        "Reference for support: <id>",
    ]
    assert read.links == [("a", "https://a.example/help"), ("a", "https://a.example/?a=1&b=2")]


@pytest.mark.parametrize("reference", [None, ""])
def test_a_page_without_links_and_reference_has_no_empty_elements(reference: str | None) -> None:
    read = Read(Pages(support_url=None, login_url="").page(TEXT, reference=reference))

    assert read.text == ["It happened.", "It happened.", "Do this."]
    assert read.tags[-2:] == ["h1", "p"]


def test_a_page_is_of_the_current_html_so_that_browsers_read_it_by_the_standard() -> None:
    assert Pages(support_url=None, login_url=None).page(TEXT).startswith('<!doctype html><html lang="en"><head>')
