"""A registration with its dashboard, for a test to deploy."""

from aws_cdk import App, Stack

from constructs_lib import MarketplaceRegistration, RegistrationDashboard
from local.product import LANDING_PAGE, PRODUCT_CODE

app = App()
stack = Stack(app, "WithDashboard")
registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
RegistrationDashboard(stack, "Dashboard", registration=registration)
app.synth()
