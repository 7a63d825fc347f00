"""The app that each release is recorded with, and that test_upgrade deploys over the recorded ones."""

from aws_cdk import App, CfnOutput, Stack

from constructs_lib import MarketplaceRegistration

app = App()
stack = Stack(app, "Released")
registration = MarketplaceRegistration(
    stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
)
CfnOutput(stack, "ApiId", value=registration.api.api_id)
CfnOutput(stack, "TableName", value=registration.table.table_name)
app.synth()
