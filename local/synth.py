"""Write the CloudFormation template of `app.py` with the demo's product into `cdk.out`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from constructs_lib.testing import _cdk_cli
from local.product import PROJECT


def main() -> int:
    """Synthesize without any AWS account; 0 once `cdk.out` holds the template."""
    with tempfile.TemporaryDirectory(prefix="marketplace-registration-") as folder:
        status, output = _cdk_cli.run(
            ["synth", "--quiet", "--context", "local_aws=true", "--app", _cdk_cli.app("python app.py")],
            cwd=PROJECT,
            environment=_cdk_cli.environment(Path(folder), PROJECT),
        )
    print(output if status else "cdk.out holds the template")
    return status
