"""The smallest real stack of a seller: `cdk deploy` creates the fulfillment URL of one product."""

from aws_cdk import App, CfnOutput, Stack
from constructs import Construct

from constructs_lib import MarketplaceRegistration


class SellerStack(Stack):
    """The stack that a seller already has; the construct is one statement in it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        registration = MarketplaceRegistration(
            self,
            "Registration",
            products={self.node.get_context("product_code"): self.node.get_context("landing_page")},
        )
        CfnOutput(self, "FulfillmentUrl", value=registration.fulfillment_url)
        CfnOutput(self, "ClaimUrl", value=registration.claim_url)
        CfnOutput(self, "ApiId", value=registration.api.api_id)
        CfnOutput(self, "TableName", value=registration.table.table_name)


app = App()
SellerStack(app, "Seller")
app.synth()
