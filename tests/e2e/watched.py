"""A product whose alarms notify an operator, here a queue; for a test to deploy."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

app = App()
stack = Stack(app, "Watched")
pager = sns.Topic(stack, "Pager")
operator = sqs.Queue(stack, "Operator")
pager.add_subscription(subscriptions.SqsSubscription(operator))
MarketplaceRegistration(
    stack,
    "Registration",
    products={PRODUCT_CODE: LANDING_PAGE},
    alarm_actions=[cloudwatch_actions.SnsAction(pager)],
)
CfnOutput(stack, "PagerArn", value=pager.topic_arn)
CfnOutput(stack, "OperatorUrl", value=operator.queue_url)
app.synth()
