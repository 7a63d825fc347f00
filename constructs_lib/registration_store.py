"""The two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms


class RegistrationStore(Construct):
    """Keeps the registrations for good and the claims for minutes.

    Args:
        table: the seller's own registrations table, keyed as the one made here; by default one is made.
        encryption_key: encrypts the tables made here; by default DynamoDB's own key does.
        removal_policy: of the registrations table made here.

    Attributes:
        table: the registrations: ``CustomerAWSAccountId``, ``ProductLicense``.
        claims_table: the claims: ``CodeHash``, time to live on ``ExpiresAt``.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITableV2 | None,
        encryption_key: kms.IKey | None,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        encryption = (
            dynamodb.TableEncryptionV2.customer_managed_key(encryption_key)
            if encryption_key
            else dynamodb.TableEncryptionV2.dynamo_owned_key()
        )
        self.table: dynamodb.ITableV2 = table or dynamodb.TableV2(
            self,
            "Registrations",
            partition_key=_text("CustomerAWSAccountId"),
            sort_key=_text("ProductLicense"),
            billing=dynamodb.Billing.on_demand(),
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            encryption=encryption,
            # With any other policy CloudFormation deletes it at times: of a first deployment that failed, say.
            deletion_protection=removal_policy is RemovalPolicy.RETAIN,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal_policy,
        )
        # A claim is worth nothing after minutes: nothing to restore, nothing to keep when the stack goes.
        self.claims_table: dynamodb.ITableV2 = dynamodb.TableV2(
            self,
            "Claims",
            partition_key=_text("CodeHash"),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="ExpiresAt",
            encryption=encryption,
            removal_policy=RemovalPolicy.DESTROY,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
