"""A registration with subscriptions. ``python -m benchmarks.synth_apps.subscriptions``."""

from aws_cdk import App, Stack

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions
from local.product import LANDING_PAGE, PRODUCT_CODE

app = App()
stack = Stack(app, "Seller")
registration = MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})
MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)
app.synth()
