"""The one product of the app, the tests and the benchmarks, from `cdk.json`."""

import json
from pathlib import Path

_CONTEXT = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())["context"]
PRODUCT_CODE: str = _CONTEXT["product_code"]
LANDING_PAGE: str = _CONTEXT["landing_page"]
