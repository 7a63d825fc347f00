"""The smallest stack: one statement, and the two URLs that result.

cdk deploy --app "python -m examples.smallest.app"
"""

from aws_cdk import App, CfnOutput, Stack

from constructs_lib import MarketplaceRegistration


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "Smallest")
    registration = MarketplaceRegistration(
        stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
    )
    CfnOutput(stack, "FulfillmentUrl", value=registration.fulfillment_url)
    CfnOutput(stack, "ClaimUrl", value=registration.claim_url)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
