"""A backend that gives access on ``Subscription Ready`` and takes it away on ``Subscription Ended``.

The events wait in a queue of yours, so that one that fails is repeated, and finally kept, instead of lost: a lost
``Subscription Ended`` is a buyer who keeps the access. The landing page is in ``examples/claiming_backend``.

Deploy it in the publishing account, in us-east-1, where AWS Marketplace's events arrive.

    cdk deploy --app "python -m examples.provisioning.app"
"""

from pathlib import Path

from aws_cdk import Acknowledgment, App, Duration, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "Provisioning")
    registration = MarketplaceRegistration(
        stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
    )
    subscriptions = MarketplaceSubscriptions(stack, "Subscriptions", registration=registration)

    accesses = dynamodb.TableV2(
        stack,
        "Accesses",
        partition_key=dynamodb.Attribute(name="Subscription", type=dynamodb.AttributeType.STRING),
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
    )

    failed = sqs.Queue(stack, "Failed", enforce_ssl=True, retention_period=Duration.days(14))
    queue = sqs.Queue(
        stack,
        "Queue",
        enforce_ssl=True,
        retention_period=Duration.days(14),
        visibility_timeout=Duration.minutes(3),
        dead_letter_queue=sqs.DeadLetterQueue(queue=failed, max_receive_count=10),
    )
    for name, on in {
        "Provision": subscriptions.on_ready,
        "Resize": subscriptions.on_changed,
        "Revoke": subscriptions.on_ended,
    }.items():
        on(name, target=targets.SqsQueue(queue, dead_letter_queue=failed))

    log_group = logs.LogGroup(stack, "BackendLog")
    # The CDK's default role would have a managed policy that may write to every log group of the account.
    role = iam.Role(stack, "BackendRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    backend = lambda_.Function(
        stack,
        "Backend",
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "backend"), exclude=["__pycache__"]),
        handler="handler.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        timeout=Duration.seconds(30),
        environment={"ACCESSES_TABLE": accesses.table_name},
        role=role,
        log_group=log_group,
    )
    accesses.grant(backend, "dynamodb:UpdateItem")
    backend.add_event_source(event_sources.SqsEventSource(queue, report_batch_item_failures=True))

    Validations.of(backend).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-L1", reason="The backend is tested on Python 3.13.")
    )
    Validations.of(failed).acknowledge(
        Acknowledgment(id="AwsSolutions::AwsSolutions-SQS3", reason="It is the dead-letter queue itself.")
    )


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
