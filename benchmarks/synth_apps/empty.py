"""An app without resources: the cost of any CDK app. ``python -m benchmarks.synth_apps.empty``."""

from aws_cdk import Acknowledgment, App, Stack, Validations

app = App()
stack = Stack(app, "Seller")
# With the settings in cdk.json, a stack without resources is an error.
Validations.of(stack).acknowledge(Acknowledgment(id="CloudFormation-Validate::F0001", reason="Nothing is deployed."))
app.synth()
