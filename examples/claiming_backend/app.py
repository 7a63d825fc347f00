"""Two backends that claim a buyer's registration: a Lambda function, and a program outside AWS.

The function (``backend/handler.py``) needs only the runtime, so nothing is bundled. The program outside AWS
(``outside_aws.py``) runs with a role that may only claim.

    cdk deploy --app "python -m examples.claiming_backend.app"
"""

from pathlib import Path

from aws_cdk import Acknowledgment, App, CfnOutput, Duration, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from constructs_lib import MarketplaceRegistration


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
    backend = lambda_.Function(
        stack,
        "Backend",
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "backend"), exclude=["__pycache__"]),
        handler="handler.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        # Two attempts of 10 seconds, within the 30 that an HTTP API in front of the function would wait.
        timeout=Duration.seconds(25),
        environment={"CLAIM_URL": registration.claim_url},
        role=role,
        log_group=log_group,
    )
    registration.grant_claim(backend)
    Validations.of(backend).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-L1", reason="The backend is tested on Python 3.13.")
    )

    # The account decides which principals may assume it. Prefer IAM Roles Anywhere over an access key for the server.
    outside = iam.Role(stack, "OutsideBackend", assumed_by=iam.AccountRootPrincipal())
    registration.grant_claim(outside)

    CfnOutput(stack, "ClaimUrl", value=registration.claim_url)
    CfnOutput(stack, "OutsideBackendRoleArn", value=outside.role_arn)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
