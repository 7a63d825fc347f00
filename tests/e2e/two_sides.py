"""The publishing account and the product's account in one app, for a test to deploy."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_iam as iam

from constructs_lib import MarketplaceRegistration, MarketplaceSellerRole
from local.product import LANDING_PAGE, PRODUCT_CODE

app = App()
publisher = Stack(app, "Publisher")
seller = MarketplaceSellerRole(
    publisher, "Seller", trusted=iam.AccountPrincipal(publisher.account), external_id="right"
)
for name, external_id in {"Product": "right", "Misled": "wrong"}.items():
    stack = Stack(app, name)
    registration = MarketplaceRegistration(
        stack,
        "Registration",
        products={PRODUCT_CODE: LANDING_PAGE},
        seller_role=seller.role,
        seller_role_external_id=external_id,
    )
    CfnOutput(stack, "ApiId", value=registration.api.api_id)
    CfnOutput(stack, "TableName", value=registration.table.table_name)
app.synth()
