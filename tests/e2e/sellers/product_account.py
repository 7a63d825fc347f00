"""The app of a seller whose product runs outside the publishing account, with a dashboard."""

from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam

from constructs_lib import MarketplaceRegistration, RegistrationDashboard

app = App()
stack = Stack(app, "ProductAccount")
registration = MarketplaceRegistration(
    stack,
    "Registration",
    products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"},
    seller_role=iam.Role.from_role_arn(stack, "SellerRole", "arn:aws:iam::444455556666:role/seller"),
    seller_role_external_id="external-id",
)
RegistrationDashboard(stack, "Dashboard", registration=registration)
app.synth()
