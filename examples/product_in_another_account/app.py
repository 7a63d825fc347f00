"""The product runs in another account and another region than AWS Marketplace's events arrive in.

They arrive on the default event bus of the publishing account in us-east-1. ``Publishing`` forwards them to a bus in
the product's account and region. It also has the role with which the product redeems registration tokens and reads
entitlements: copy its ARN from the output into ``SELLER_ROLE_ARN``.

Deploy it before the listing is published. Events that arrive before the bus exists go to the dead-letter queue of the
forwarding.

    cdk deploy --app "python -m examples.product_in_another_account.app" Publishing
    cdk deploy --app "python -m examples.product_in_another_account.app" Product
"""

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam

from constructs_lib import (
    MarketplaceEventForwarding,
    MarketplaceRegistration,
    MarketplaceSellerRole,
    MarketplaceSubscriptions,
)

PUBLISHING_ACCOUNT = "444455556666"
PRODUCT_ACCOUNT = "111122223333"
REGION = "eu-west-1"
# A name of its own, so that the other stack knows the ARN.
BUS_NAME = "marketplace"
BUS_ARN = f"arn:aws:events:{REGION}:{PRODUCT_ACCOUNT}:event-bus/{BUS_NAME}"
SELLER_ROLE_ARN = f"arn:aws:iam::{PUBLISHING_ACCOUNT}:role/THE-OUTPUT"
# Not a secret: it keeps other workloads of the product's account from assuming the role by mistake.
EXTERNAL_ID = "a-value-of-your-own"


def build(app: App) -> None:
    """Add the example's two stacks to the app."""
    publishing = Stack(app, "Publishing", env=Environment(account=PUBLISHING_ACCOUNT, region="us-east-1"))
    seller_role = MarketplaceSellerRole(
        publishing,
        "SellerRole",
        trusted=iam.AccountPrincipal(PRODUCT_ACCOUNT),
        external_id=EXTERNAL_ID,
        subscriptions=True,
    )
    MarketplaceEventForwarding(
        publishing, "Forwarding", event_bus=events.EventBus.from_event_bus_arn(publishing, "ProductBus", BUS_ARN)
    )
    CfnOutput(publishing, "SellerRoleArn", value=seller_role.role.role_arn)

    product = Stack(app, "Product", env=Environment(account=PRODUCT_ACCOUNT, region=REGION))
    bus = events.EventBus(product, "Bus", event_bus_name=BUS_NAME)
    bus.add_to_resource_policy(
        iam.PolicyStatement(
            sid="Forwarding",
            principals=[iam.AccountPrincipal(PUBLISHING_ACCOUNT)],
            actions=["events:PutEvents"],
            resources=[bus.event_bus_arn],
            conditions={"StringEquals": {"events:source": "aws.agreement-marketplace"}},
        )
    )
    registration = MarketplaceRegistration(
        product,
        "Registration",
        products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"},
        seller_role=iam.Role.from_role_arn(product, "SellerRole", SELLER_ROLE_ARN),
        seller_role_external_id=EXTERNAL_ID,
    )
    MarketplaceSubscriptions(product, "Subscriptions", registration=registration, event_bus=bus)
    CfnOutput(product, "FulfillmentUrl", value=registration.fulfillment_url)
    CfnOutput(product, "ClaimUrl", value=registration.claim_url)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
