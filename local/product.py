"""The project, and the one product of the app, the tests and the benchmarks, from `cdk.json`."""

import json
from pathlib import Path

PROJECT = Path(__file__).parents[1]
_CONTEXT = json.loads((PROJECT / "cdk.json").read_text())["context"]
PRODUCT_CODE: str = _CONTEXT["product_code"]
LANDING_PAGE: str = _CONTEXT["landing_page"]
