"""`app.py` with the demo's product is for the local AWS only."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.product import LANDING_PAGE, PRODUCT_CODE

ROOT = Path(__file__).parents[2]
# As in the README's command.
OWN = {"product_code": "YOUR_PRODUCT_CODE", "landing_page": "https://YOUR_DOMAIN/signup"}
DEMO = {"product_code": PRODUCT_CODE, "landing_page": LANDING_PAGE}


def errors(folder: Path, context: dict[str, str]) -> list[str]:
    """Return what the CDK command line would end with."""
    subprocess.run(
        [sys.executable, ROOT / "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)},
        check=True,
    )
    written = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.json"))
    return re.findall(r'"type": "aws:cdk:error",\s*"data": "([^"]*)"', written)


@pytest.mark.parametrize(
    ("context", "names"),
    [
        (DEMO, "product_code and landing_page"),
        ({**OWN, "product_code": PRODUCT_CODE}, "product_code"),
        ({**OWN, "landing_page": LANDING_PAGE}, "landing_page"),
    ],
)
def test_the_demos_product_is_rejected_outside_the_local_aws(
    tmp_path: Path, context: dict[str, str], names: str
) -> None:
    (error,) = errors(tmp_path, context)

    assert error.startswith(f"{names}: still the demo's, which works on the local AWS only")


@pytest.mark.parametrize("context", [OWN, {**DEMO, "local_aws": "true"}])
def test_a_sellers_own_product_and_the_local_aws_are_let_through(tmp_path: Path, context: dict[str, str]) -> None:
    assert errors(tmp_path, context) == []
