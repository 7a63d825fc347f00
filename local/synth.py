"""Write the CloudFormation template of `app.py` with the demo's product into `cdk.out`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from local import cdk_cli


def main() -> int:
    """Synthesize without any AWS account; 0 once `cdk.out` holds the template."""
    with tempfile.TemporaryDirectory(prefix="marketplace-registration-") as folder:
        status, output = cdk_cli.run(
            ["synth", "--quiet", "--context", "local_aws=true", "--app", cdk_cli.app("python app.py")],
            cwd=cdk_cli.PROJECT,
            environment=cdk_cli.environment(Path(folder)),
        )
    print(output if status else "cdk.out holds the template")
    return status
