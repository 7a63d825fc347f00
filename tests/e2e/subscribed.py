"""A product that is told of its subscriptions, here in a queue for each kind; for a test to deploy."""

from aws_cdk import App, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions
from local.product import LANDING_PAGE, PRODUCT_CODE

app = App()
stack = Stack(app, "Subscribed")
registration = MarketplaceRegistration(
    stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, removal_policy=RemovalPolicy.DESTROY
)
subscriptions = MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)
for name, on in {
    "Registered": subscriptions.on_registered,
    "Ready": subscriptions.on_ready,
    "Changed": subscriptions.on_changed,
    "Ended": subscriptions.on_ended,
}.items():
    queue = sqs.Queue(stack, name)
    on(name, target=targets.SqsQueue(queue))
    CfnOutput(stack, f"{name}Url", value=queue.queue_url)
CfnOutput(stack, "ApiId", value=registration.api.api_id)
CfnOutput(stack, "TableName", value=registration.table.table_name)
CfnOutput(stack, "QueueUrl", value=subscriptions.queue.queue_url)
CfnOutput(stack, "DeadLettersUrl", value=subscriptions.dead_letter_queue.queue_url)
for name, function in {"Subscriber": subscriptions.subscriber, "Publisher": subscriptions.publisher}.items():
    CfnOutput(stack, f"{name}RoleArn", value=function.role.role_arn if function.role else "")
app.synth()
