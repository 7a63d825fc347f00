"""Tells somebody of every new buyer, through the stream of the registrations table.

A buyer who registers again changes the item, and so does what others write to it: an event of a license may even have
made the item before its buyer came. So new is where ``RegisteredAt`` is in the new image and was not in the old one,
and Lambda's filter drops the rest before it costs a call.

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
    # It gets where in the stream a record is, not the record: that stays in the stream for a day, and in the table.
    failed = sqs.Queue(stack, "Failed", enforce_ssl=True)

    log_group = logs.LogGroup(stack, "ReactorLog")
    # The managed policy of CDK's default role may write to every log group of the account.
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
            # A record that fails again and again is found by halving, and does not hold up those behind it for a day.
            bisect_batch_on_error=True,
            retry_attempts=5,
            on_failure=event_sources.SqsDlq(failed),
        )
    )
    Validations.of(reactor).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-L1", reason="The reactor is tested on Python 3.13.")
    )
    Validations.of(failed).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-SQS3", reason="It is itself the queue of what failed.")
    )


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
