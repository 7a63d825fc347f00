"""The product runs in an account other than the publishing account.

Only the publishing account may call ResolveCustomer. First deploy ``Publishing`` there, with that account's
credentials, and copy the ARN from its output into ``SELLER_ROLE_ARN``; then deploy ``Product``. Neither stack refers to
the other, so each account can be deployed separately.

    cdk deploy --app "python -m examples.publishing_account.app" Publishing
    cdk deploy --app "python -m examples.publishing_account.app" Product
"""

from aws_cdk import App, CfnOutput, Environment, Stack
from aws_cdk import aws_iam as iam

from constructs_lib import MarketplaceRegistration, MarketplaceSellerRole

PUBLISHING_ACCOUNT = "444455556666"
PRODUCT_ACCOUNT = "111122223333"
REGION = "eu-west-1"
SELLER_ROLE_ARN = f"arn:aws:iam::{PUBLISHING_ACCOUNT}:role/THE-OUTPUT"
# Not a secret: it keeps other workloads of the product's account from assuming the role by mistake.
EXTERNAL_ID = "a-value-of-your-own"


def build(app: App) -> None:
    """Add the example's two stacks to the app."""
    publishing = Stack(app, "Publishing", env=Environment(account=PUBLISHING_ACCOUNT, region=REGION))
    seller_role = MarketplaceSellerRole(
        publishing, "SellerRole", trusted=iam.AccountPrincipal(PRODUCT_ACCOUNT), external_id=EXTERNAL_ID
    )
    CfnOutput(publishing, "SellerRoleArn", value=seller_role.role.role_arn)

    product = Stack(app, "Product", env=Environment(account=PRODUCT_ACCOUNT, region=REGION))
    registration = MarketplaceRegistration(
        product,
        "Registration",
        products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"},
        seller_role=iam.Role.from_role_arn(product, "SellerRole", SELLER_ROLE_ARN),
        seller_role_external_id=EXTERNAL_ID,
    )
    CfnOutput(product, "FulfillmentUrl", value=registration.fulfillment_url)
    CfnOutput(product, "ClaimUrl", value=registration.claim_url)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
