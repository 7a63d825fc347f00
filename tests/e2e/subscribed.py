"""A product that is told of its subscriptions, in a queue for each kind, and a forwarding; for a test to deploy."""

from aws_cdk import App, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceEventForwarding, MarketplaceRegistration, MarketplaceSubscriptions
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
for name, function in {
    "Subscriber": subscriptions.subscriber,
    "Publisher": subscriptions.publisher,
    "Reconciler": subscriptions.reconciler,
}.items():
    CfnOutput(stack, f"{name}RoleArn", value=function.role.role_arn if function and function.role else "")
own = subscriptions.reconciliation_table
CfnOutput(stack, "ReconciliationTableName", value=own.table_name if own else "")

publishing = Stack(app, "Publishing")
elsewhere = "arn:aws:events:eu-west-1:111122223333:event-bus/marketplace"
forwarding = MarketplaceEventForwarding(
    publishing, "Forwarding", event_bus=events.EventBus.from_event_bus_arn(publishing, "Bus", elsewhere)
)
CfnOutput(publishing, "RuleName", value=forwarding.rule.rule_name)
CfnOutput(publishing, "RoleArn", value=forwarding.role.role_arn)
app.synth()
