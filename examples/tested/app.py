"""A seller's stack and code, and how to test both: the example is about ``test_seller.py``.

    pytest -p constructs_lib.testing.pytest_plugin examples/tested

In a project that has the library installed, pytest has its fixtures without ``-p``.
"""

from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from constructs_lib import MarketplaceRegistration


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "Tested")
    on_call = sns.Topic(stack, "OnCall", enforce_ssl=True)
    on_call.grant_publish(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
    registration = MarketplaceRegistration(
        stack,
        "Registration",
        products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"},
        alarm_actions=[cloudwatch_actions.SnsAction(on_call)],
    )
    registration.grant_claim(iam.Role(stack, "Backend", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")))


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
