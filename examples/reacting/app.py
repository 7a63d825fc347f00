"""Tells your team of every new registration, through the stream of the registrations table.

To greet the buyer or to help with the setup, not to grant access: a registration is not a subscription, and AWS asks
sellers to wait for the License Updated event (docs/claiming.md, "When to grant access").

An item also changes when its buyer registers again or when other code writes to it; a license event may even have
created it before its buyer came. A buyer is new if ``RegisteredAt`` is in the new image and not in the old one;
Lambda's filter drops every other record before it costs an invocation.

    cdk deploy --app "python -m examples.reacting.app"
"""

from pathlib import Path

from aws_cdk import Acknowledgment, App, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceRegistration


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "Reacting")
    registration = MarketplaceRegistration(
        stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
    )

    new_buyers = sns.Topic(stack, "NewBuyers", enforce_ssl=True)
    # It receives the position of a record, not the record, which stays in the stream for a day and in the table.
    failed = sqs.Queue(stack, "Failed", enforce_ssl=True)

    log_group = logs.LogGroup(stack, "ReactorLog")
    # The CDK's default role would have a managed policy that may write to every log group of the account.
    role = iam.Role(stack, "ReactorRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    reactor = lambda_.Function(
        stack,
        "Reactor",
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "reactor"), exclude=["__pycache__"]),
        handler="handler.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        environment={"TOPIC_ARN": new_buyers.topic_arn},
        role=role,
        log_group=log_group,
    )
    new_buyers.grant_publish(reactor)
    reactor.add_event_source(
        event_sources.DynamoEventSource(
            registration.table,
            # Not LATEST: a buyer may come while this is being deployed.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            filters=[
                lambda_.FilterCriteria.filter(
                    {
                        "dynamodb": {
                            "NewImage": {"RegisteredAt": {"S": lambda_.FilterRule.exists()}},
                            "OldImage": {"RegisteredAt": {"S": lambda_.FilterRule.not_exists()}},
                        }
                    }
                )
            ],
            # Halving isolates a record that keeps failing; otherwise it would block the records behind it for a day.
            bisect_batch_on_error=True,
            retry_attempts=5,
            on_failure=event_sources.SqsDlq(failed),
        )
    )
    Validations.of(reactor).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-L1", reason="The reactor is tested on Python 3.13.")
    )
    Validations.of(failed).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-SQS3", reason="It is the queue for failed records itself.")
    )


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
