"""A product whose alarms wake somebody, for a test to deploy: the queue is who is woken."""

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
woken = sqs.Queue(stack, "Woken")
pager.add_subscription(subscriptions.SqsSubscription(woken))
MarketplaceRegistration(
    stack,
    "Registration",
    products={PRODUCT_CODE: LANDING_PAGE},
    alarm_actions=[cloudwatch_actions.SnsAction(pager)],
)
CfnOutput(stack, "PagerArn", value=pager.topic_arn)
CfnOutput(stack, "WokenUrl", value=woken.queue_url)
app.synth()
