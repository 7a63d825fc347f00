"""The smallest real stack of a seller: one product's fulfillment URL, and a record of who may use it."""

import json
from pathlib import Path

from aws_cdk import Annotations, App, CfnOutput, Stack
from constructs import Construct

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions

PRODUCT = ("product_code", "landing_page")
DEMO = json.loads(Path(__file__).with_name("cdk.json").read_text(encoding="utf-8"))["context"]


class SellerStack(Stack):
    """The stack that a seller already has; each construct is one statement in it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        product = {name: self.node.get_context(name) for name in PRODUCT}
        registration = MarketplaceRegistration(
            self, "Registration", products={product["product_code"]: product["landing_page"]}
        )
        subscriptions = MarketplaceSubscriptions(self, "Subscriptions", registration=registration)
        CfnOutput(self, "FulfillmentUrl", value=registration.fulfillment_url)
        CfnOutput(self, "ClaimUrl", value=registration.claim_url)
        CfnOutput(self, "ApiId", value=registration.api.api_id)
        CfnOutput(self, "TableName", value=registration.table.table_name)
        CfnOutput(self, "EventQueueUrl", value=subscriptions.queue.queue_url)
        # The demo's product is no one's: deployed to a real account, it would reject every buyer.
        demo = [name for name, value in product.items() if value == DEMO[name]]
        if demo and not self.node.try_get_context("local_aws"):
            options = " ".join(f"-c {name}=…" for name in demo)
            Annotations.of(self).add_error(
                f"{' and '.join(demo)}: still the demo's, which works on the local AWS only (make demo, make local); "
                f"set your own with {options}"
            )


app = App()
SellerStack(app, "Seller")
app.synth()
