"""Actions that the resolver's role allows and denies, on a local AWS that enforces role policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from constructs_lib.claims import ClaimClient, ClaimDeniedError
from local.local_aws import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.deployment import Deployment

KEY = {"CustomerAWSAccountId": {"S": "111122223333"}, "ProductLicense": {"S": "product#"}}
CLAIM = {"CodeHash": {"S": "hash"}}
SET = {"UpdateExpression": "SET Probe = :probe", "ExpressionAttributeValues": {":probe": {"S": "x"}}}


def keys_of(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return STS's credentials under boto3's names."""
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


class Probe:
    """The resolver's own role, assumed by the test."""

    def __init__(self, deployment: Deployment, credentials: Mapping[str, str]) -> None:
        tables = deployment.aws.client("dynamodb").list_tables()["TableNames"]
        self._aws = deployment.aws
        self._keys = keys_of(credentials)
        self.session = deployment.session(credentials)
        self.registrations = deployment.table_name
        (self.claims,) = (name for name in tables if name.startswith("Seller-RegistrationStoreClaims"))
        self.dynamodb = self.client("dynamodb")

    def client(self, service: str) -> Any:
        return self._aws.client(service, **self._keys)


@pytest.fixture(scope="module")
def probe(deployment: Deployment) -> Iterator[Probe]:
    iam, sts = deployment.aws.client("iam"), deployment.aws.client("sts")
    (role,) = (
        role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("Seller-RegistrationResolverRole")
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            *role["AssumeRolePolicyDocument"]["Statement"],
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        ],
    }
    iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(trust))
    deployment.aws.client("dynamodb").create_table(
        TableName="another-table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "CodeHash", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "CodeHash", "KeyType": "HASH"}],
    )
    yield Probe(deployment, sts.assume_role(RoleArn=role["Arn"], RoleSessionName="probe")["Credentials"])
    deployment.aws.client("dynamodb").delete_table(TableName="another-table")
    iam.update_assume_role_policy(
        RoleName=role["RoleName"], PolicyDocument=json.dumps(role["AssumeRolePolicyDocument"])
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda probe: probe.dynamodb.update_item(TableName=probe.registrations, Key=KEY, **SET),
        lambda probe: probe.dynamodb.get_item(TableName=probe.registrations, Key=KEY),
        # Since the app has subscriptions; without them, the template's tests hold that it is not granted.
        lambda probe: probe.dynamodb.query(
            TableName=probe.registrations,
            KeyConditionExpression="CustomerAWSAccountId = :a",
            ExpressionAttributeValues={":a": {"S": "1"}},
        ),
        lambda probe: probe.dynamodb.put_item(TableName=probe.claims, Item=CLAIM),
        lambda probe: probe.dynamodb.get_item(TableName=probe.claims, Key=CLAIM),
        lambda probe: probe.dynamodb.update_item(TableName=probe.claims, Key=CLAIM, **SET),
    ],
    ids=["update-registration", "get-registration", "query-registrations", "put-claim", "get-claim", "update-claim"],
)
def test_every_call_of_the_resolver_is_allowed(probe: Probe, call: Callable[[Probe], object]) -> None:
    call(probe)


@pytest.mark.parametrize(
    "call",
    [
        lambda probe: probe.dynamodb.put_item(TableName=probe.registrations, Item=KEY),
        lambda probe: probe.dynamodb.delete_item(TableName=probe.registrations, Key=KEY),
        lambda probe: probe.dynamodb.scan(TableName=probe.registrations),
        lambda probe: probe.dynamodb.query(
            TableName=probe.claims,
            KeyConditionExpression="CodeHash = :a",
            ExpressionAttributeValues={":a": {"S": "1"}},
        ),
        lambda probe: probe.dynamodb.delete_table(TableName=probe.registrations),
        lambda probe: probe.dynamodb.scan(TableName=probe.claims),
        lambda probe: probe.dynamodb.delete_item(TableName=probe.claims, Key=CLAIM),
        lambda probe: probe.dynamodb.get_item(TableName="another-table", Key=CLAIM),
        lambda probe: probe.dynamodb.put_item(TableName="another-table", Item=CLAIM),
        lambda probe: probe.dynamodb.list_tables(),
        lambda probe: probe.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/another", RoleSessionName="probe"
        ),
        lambda probe: probe.client("s3").list_buckets(),
        lambda probe: probe.client("iam").list_roles(),
        lambda probe: probe.client("lambda").list_functions(),
        lambda probe: probe.client("logs").describe_log_groups(),
        lambda probe: probe.client("sns").list_topics(),
    ],
    ids=[
        "put-registration",
        "delete-registration",
        "scan-registrations",
        "query-claims",
        "delete-table",
        "scan-claims",
        "delete-claim",
        "get-elsewhere",
        "put-elsewhere",
        "list-tables",
        "assume-role",
        "s3",
        "iam",
        "lambda",
        "logs",
        "sns",
    ],
)
def test_every_other_call_is_denied(probe: Probe, call: Callable[[Probe], object]) -> None:
    with pytest.raises(ClientError) as denial:
        call(probe)

    assert denial.value.response["Error"]["Code"] in {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",  # SNS
    }


def test_a_role_without_the_grant_may_not_claim(deployment: Deployment, probe: Probe) -> None:
    with ClaimClient(deployment.claim_url, session=probe.session) as client, pytest.raises(ClaimDeniedError):
        client.claim("x" * 43)


def test_the_backend_may_not_read_the_registrations_table(deployment: Deployment) -> None:
    credentials = deployment.backend.get_credentials()
    assert credentials
    keys = credentials.get_frozen_credentials()
    client = deployment.aws.client(
        "dynamodb",
        aws_access_key_id=str(keys.access_key),
        aws_secret_access_key=str(keys.secret_key),
        aws_session_token=str(keys.token),
    )

    with pytest.raises(ClientError, match="AccessDenied"):
        client.scan(TableName=deployment.table_name)
