"""The two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import CfnDeletionPolicy, IStableAnyProducer, Lazy, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from constructs_lib._acknowledged import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms

# The CDK's own grants name these with wildcards.
_USE_OF_KEY = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)

TABLE_KEY = ("CustomerAWSAccountId", "ProductLicense")
"""The registrations table's partition key and sort key, both strings."""


def grant_key_of(table: dynamodb.ITableV2, grantee: iam.IGrantable) -> None:
    """Grant the use of the key that encrypts a table, if it is known to have one."""
    if table.encryption_key:
        table.encryption_key.grant(grantee, *_USE_OF_KEY)


class RegistrationStore(Construct):
    """Keeps registrations permanently and claim records for minutes.

    Args:
        scope: the registration construct.
        construct_id: unique in ``scope``.
        table: the seller's own registrations table, with the same key; by default one is created.
        encryption_key: encrypts the tables created here; by default DynamoDB's own key does.
        removal_policy: of the registrations table created here.

    Attributes:
        table: the registrations table: ``CustomerAWSAccountId``, ``ProductLicense``.
        claims_table: the claims table: ``CodeHash``, time to live on ``ExpiresAt``.
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
        encryption = table_encryption(encryption_key)
        self.table: dynamodb.ITableV2 = table or self._registrations(encryption, removal_policy)
        # A claim record is worthless after minutes: there is nothing to keep when the stack is deleted.
        self.claims_table: dynamodb.ITableV2 = dynamodb.TableV2(
            self,
            "Claims",
            partition_key=_text("CodeHash"),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="ExpiresAt",
            encryption=encryption,
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.claims_table,
            {"CKV_AWS_165": "A claim record is worthless after minutes: nothing needs restoring."},
        )

    def _registrations(self, encryption: dynamodb.TableEncryptionV2, removal_policy: RemovalPolicy) -> dynamodb.TableV2:
        table = dynamodb.TableV2(
            self,
            "Registrations",
            partition_key=_text(TABLE_KEY[0]),
            sort_key=_text(TABLE_KEY[1]),
            billing=dynamodb.Billing.on_demand(),
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            encryption=encryption,
            deletion_protection=True,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal_policy,
        )
        resource: Any = table.node.default_child
        resource.replicas = Lazy.any(_ProtectedWhileRetained(resource, resource.replicas))
        return table

    def grant_use(self, resolver: iam.IGrantable) -> None:
        """Grant exactly the calls that the resolver makes."""
        self.table.grant(resolver, "dynamodb:GetItem", "dynamodb:UpdateItem")
        self.claims_table.grant(resolver, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        for table in (self.table, self.claims_table):
            grant_key_of(table, resolver)


@jsii.implements(IStableAnyProducer)
class _ProtectedWhileRetained:
    """The table's replicas, protected against deletion only under the policy that never deletes.

    Under any other policy CloudFormation may have to delete the table, for example when it rolls back a failed first
    deployment. ``RemovalPolicies`` changes the policy after the table is made, so it is looked at last.
    """

    def __init__(self, resource: dynamodb.CfnGlobalTable, replicas: object) -> None:
        self._resource = resource
        self._replicas = replicas

    def produce(self) -> list[dict[str, Any]]:
        replicas: list[dict[str, Any]] = self._resource.stack.resolve(self._replicas)
        if self._resource.cfn_options.deletion_policy is CfnDeletionPolicy.RETAIN:
            return replicas
        return [{**replica, "deletionProtectionEnabled": False} for replica in replicas]


def table_encryption(encryption_key: kms.IKey | None) -> dynamodb.TableEncryptionV2:
    """Return a table's encryption; without a key, DynamoDB encrypts it with its own."""
    if encryption_key:
        return dynamodb.TableEncryptionV2.customer_managed_key(encryption_key)
    return dynamodb.TableEncryptionV2.dynamo_owned_key()


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
