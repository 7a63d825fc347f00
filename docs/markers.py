"""The markers in a page between which a program writes."""  # noqa: INP001 - scripts, not a package


def between_markers(page: str, name: str, content: str) -> str:
    """Return a page with the content between its markers of that name replaced.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- /{name} -->\n"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"no markers {begin.strip()} and {end.strip()}")
    return f"{before}{begin}{content}{end}{after}"
