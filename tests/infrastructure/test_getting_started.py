"""The commands of getting started can be typed one after the other: each variable is set before it is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from docs import cost

PAGE = (Path(cost.__file__).parent / "getting-started.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)

STAND_INS = {
    "npx": 'while [ "$1" != --outputs-file ]; do shift || exit 0; [ $# -gt 0 ] || exit 0; done\n'
    """echo '{"SellerTest": {"FulfillmentUrl": "https://api.example.com/register"}}' > "$2"\n""",
    "curl": 'echo "$2"\n',
    "python": f'exec {sys.executable} "$@"\n',
}


def test_it_begins_with_a_clone_and_names_the_version_of_node() -> None:
    assert "git clone" in BLOCKS[0]
    assert re.search(r"Node \d\d", PAGE.partition("## 1.")[0])


def test_every_variable_is_set_before_it_is_used() -> None:
    known: set[str] = set()
    for line in "".join(BLOCKS).splitlines():
        assert set(re.findall(r"\$\{?(\w+)", line)) <= known, line
        known |= set(re.findall(r"^(?:export )?(\w+)=", line))
    assert "FULFILLMENT_URL" in known


def test_the_first_requests_go_to_the_url_that_was_deployed(tmp_path: Path) -> None:
    for name, script in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    done = subprocess.run(
        ["bash", "-e", "-u", "-c", "".join(BLOCKS[1:])],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "https://api.example.com/register\n" * 2), done.stderr
