"""Backends that claim a buyer's registration: a Lambda function, and programs outside Lambda.

The function (``backend/handler.py``) has the claim client in its code, which needs nothing that the runtime lacks. The
others run with a role that may only claim: ``web.py`` is a FastAPI app; ``claim.sh`` and ``claim.mjs`` claim with curl
and with Node.

    cdk deploy --app "python -m examples.claiming_backend.app"
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import Acknowledgment, App, CfnOutput, Duration, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from constructs_lib import MarketplaceRegistration, claims


def write_code(folder: Path) -> None:
    """Write the function's code.

    In a project of your own, ``pip install --no-deps --target FOLDER marketplace-registration`` adds the claim client.
    """
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(__file__).parent / "backend", folder, ignore=ignore, dirs_exist_ok=True)
    shutil.copytree(Path(claims.__file__).parent, folder / "constructs_lib" / "claims", ignore=ignore)


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "ClaimingBackend")
    registration = MarketplaceRegistration(
        stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
    )

    log_group = logs.LogGroup(stack, "BackendLog")
    # The CDK's default role would have a managed policy that may write to every log group of the account.
    role = iam.Role(stack, "BackendRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    with TemporaryDirectory() as folder:
        write_code(Path(folder))
        backend = lambda_.Function(
            stack,
            "Backend",
            code=lambda_.Code.from_asset(folder),
            handler="handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            # Above the client's 20 seconds, and within the 30 that an HTTP API in front of the function would wait.
            timeout=Duration.seconds(25),
            environment={"CLAIM_URL": registration.claim_url},
            role=role,
            log_group=log_group,
        )
    registration.grant_claim(backend)
    Validations.of(backend).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-L1", reason="The backend is tested on Python 3.13.")
    )

    # The account decides which principals may assume it. Prefer IAM Roles Anywhere over an access key for a server.
    outside = iam.Role(stack, "OutsideBackend", assumed_by=iam.AccountRootPrincipal())
    registration.grant_claim(outside)

    CfnOutput(stack, "ClaimUrl", value=registration.claim_url)
    CfnOutput(stack, "OutsideBackendRoleArn", value=outside.role_arn)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
