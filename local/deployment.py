"""`app.py` deployed to the local AWS, with the Marketplace stand-in and a backend."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

import botocore.session
import requests

from constructs_lib.claims import ClaimClient
from constructs_lib.testing import MarketplaceStandIn
from local.local_aws import ACCOUNT, REGION, LocalAws, named_port
from local.seller_target import SellerTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from constructs_lib.claims import Registration

_API_ID = "sellersapi"

Function = Literal["resolver", "subscriber", "publisher", "reconciler"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The running deployment.

    Attributes:
        aws: the local AWS.
        marketplace: mints registration tokens and serves ResolveCustomer.
        api_id: of the deployed HTTP API.
        table_name: of the registrations table.
        event_queue_url: of the queue of Marketplace's events; empty if the stack records no subscriptions.
    """

    aws: LocalAws
    marketplace: MarketplaceStandIn
    api_id: str
    table_name: str
    event_queue_url: str = ""

    @property
    def fulfillment_url(self) -> str:
        """The address of the fulfillment URL in the local AWS."""
        return f"{self.aws.api_url(self.api_id)}/register"

    @property
    def claim_url(self) -> str:
        """The address of the claim URL in the local AWS."""
        return f"{self.aws.api_url(self.api_id)}/claim"

    @cached_property
    def http(self) -> requests.Session:
        """A client that trusts the local AWS."""
        session = requests.Session()
        # The machine's own certificates would take precedence over the local AWS's.
        session.trust_env = False
        session.verify = str(self.aws.certificate)
        return session

    @cached_property
    def backend(self) -> botocore.session.Session:
        """Credentials of a role with only the permission from ``grant_claim``."""
        iam, sts = self.aws.client("iam"), self.aws.client("sts")
        trust = _policy("sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
        role = iam.create_role(RoleName=f"product-backend-{self.api_id}", AssumeRolePolicyDocument=trust)["Role"]
        route = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api_id}/$default/POST/claim"
        iam.put_role_policy(
            RoleName=role["RoleName"],
            PolicyName="claim",
            PolicyDocument=_policy("execute-api:Invoke", Resource=route),
        )
        return self.session(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="backend")["Credentials"])

    @cached_property
    def claims(self) -> ClaimClient:
        """The backend's claim client."""
        return ClaimClient(self.claim_url, session=self.backend)

    def session(self, credentials: Mapping[str, str]) -> botocore.session.Session:
        """Return a session that trusts the local AWS, with credentials as STS returns them."""
        session = botocore.session.Session()
        session.set_credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        session.set_config_variable("region", REGION)
        session.set_config_variable("ca_bundle", str(self.aws.certificate))
        return session

    def set_up_account(self, form: Mapping[str, str]) -> requests.Response:
        """Send the request that the browser sends when the buyer presses the button."""
        return self.http.post(
            self.fulfillment_url, data=form, headers={"Accept": "text/html"}, allow_redirects=False, timeout=60
        )

    def claim(self, registration_code: str) -> Registration:
        """Claim a registration as the product's backend does.

        Raises:
            ClaimError: the claim failed.
        """
        return self.claims.claim(registration_code)

    def deliver(self, event: Mapping[str, Any]) -> bool:
        """Put an event of Marketplace where its rule puts it, into the queue, and tell whether the rule takes it.

        The event bus of the local AWS rejects it, as AWS does: no account may put events of AWS's own sources. So the
        rule itself is asked: whether it is enabled, and whether its pattern matches.
        """
        rules = self.aws.client("events")
        rule = rules.describe_rule(Name=self._rule)
        pattern = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
        taken = rule["State"] == "ENABLED" and rules.test_event_pattern(**pattern)["Result"]
        if taken:
            self.aws.client("sqs").send_message(QueueUrl=self.event_queue_url, MessageBody=json.dumps(event))
        return bool(taken)

    @cached_property
    def target(self) -> SellerTarget:
        """The seller's target of everything that the subscriptions tell, from its first use on."""
        return SellerTarget(self.aws, self.table_name)

    def reconcile(self) -> dict[str, Any]:
        """Let the reconciler run as its schedule does, and return its response.

        Raises:
            RuntimeError: it ended with an error.
        """
        response = self.aws.client("lambda").invoke(FunctionName=self._reconciler, Payload=b"{}")
        result: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise RuntimeError(f"the reconciler ended with {result}")
        return result

    def log_lines(self, function: Function = "resolver") -> list[dict[str, Any]]:
        """Read the log of a function: the lines that have an outcome."""
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        events = pages.paginate(logGroupName=self._log_groups[function], filterPattern="outcome").search("events")
        # A traceback may contain the word too.
        return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]

    @cached_property
    def _log_groups(self) -> dict[str, str]:
        lambda_ = self.aws.client("lambda")
        functions = {"resolver": self._integration_uri}
        if self.event_queue_url:
            stream = self.aws.client("dynamodb").describe_table(TableName=self.table_name)["Table"]["LatestStreamArn"]
            for name, source in {"subscriber": self._event_queue_arn, "publisher": stream}.items():
                (mapping,) = lambda_.list_event_source_mappings(EventSourceArn=source)["EventSourceMappings"]
                functions[name] = mapping["FunctionArn"]
            functions["reconciler"] = self._reconciler
        return {
            name: lambda_.get_function(FunctionName=arn)["Configuration"]["LoggingConfig"]["LogGroup"]
            for name, arn in functions.items()
        }

    @cached_property
    def _reconciler(self) -> str:
        # Another deployment in the same local AWS may have one too.
        pages = self.aws.client("lambda").get_paginator("list_functions").paginate()
        table = f"Environment.Variables.REGISTRATIONS_TABLE=='{self.table_name}'"
        (arn,) = pages.search(f"Functions[?Handler=='reconciler.main.handler' && {table}].FunctionArn")
        name: str = arn
        return name

    @property
    def _integration_uri(self) -> str:
        integrations = self.aws.client("apigatewayv2").get_integrations(ApiId=self.api_id)["Items"]
        uri: str = integrations[0]["IntegrationUri"]
        return uri

    @property
    def _event_queue_arn(self) -> str:
        attributes = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.event_queue_url, AttributeNames=["QueueArn"]
        )
        arn: str = attributes["Attributes"]["QueueArn"]
        return arn

    @cached_property
    def _rule(self) -> str:
        (rule,) = self.aws.client("events").list_rule_names_by_target(TargetArn=self._event_queue_arn)["RuleNames"]
        name: str = rule
        return name

    def registrations(self) -> list[dict[str, Any]]:
        """Read the whole registrations table."""
        items = self.aws.client("dynamodb").scan(TableName=self.table_name, ConsistentRead=True)["Items"]
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in items]


def registration_code(location: str) -> str:
    """Return the registration code from the landing page's URL."""
    return parse_qs(urlsplit(location).query)["registration_code"][0]


@contextmanager
def deployed(*, marketplace_port: int = 0, aws_port: int = 0, **context: str) -> Iterator[Deployment]:
    """Start the stand-in and the local AWS, deploy `app.py`, and stop everything at the end.

    With the same ports, the addresses are the same as in any other deployment.

    Args:
        marketplace_port: port of the Marketplace stand-in; 0 chooses a free one.
        aws_port: port of the local AWS; 0 chooses a free one.
        context: CDK context for `app.py`, overriding that of `cdk.json`.

    Raises:
        PortError: a port cannot be listened on.
        LocalAwsError: the local AWS did not start, or the deployment failed.
    """
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="marketplace-registration-"))
        with named_port(marketplace_port):
            marketplace = running.enter_context(MarketplaceStandIn(port=marketplace_port, seller_account_id=ACCOUNT))
        aws = running.enter_context(
            LocalAws(Path(folder), port=aws_port, marketplace_endpoint_url=marketplace.endpoint_url)
        )
        outputs = aws.deploy(context={"local_aws": "true", **context}, api_id=_API_ID)["Seller"]
        deployment = Deployment(
            aws=aws,
            marketplace=marketplace,
            api_id=outputs["ApiId"],
            table_name=outputs["TableName"],
            event_queue_url=outputs["EventQueueUrl"],
        )
        with deployment.http:
            yield deployment


def _policy(action: str, **where: object) -> str:
    statement = {"Effect": "Allow", "Action": action, **where}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
