"""One statement in a seller's stack that gives a product its fulfillment URL."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsii
from aws_cdk import Acknowledgment, ArnFormat, Aws, Duration, RemovalPolicy, Stack, Token, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from constructs_lib.marketplace_seller_role import grant_resolve_customer, validate_external_id
from constructs_lib.outcome_metrics import OutcomeMetrics
from constructs_lib.registration_alarms import ALARM_NAMES, AlarmName, AlarmSettings, RegistrationAlarms
from constructs_lib.registration_store import RegistrationStore
from constructs_lib.resolver_function import ResolverFunction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_

MARKETPLACE_REGIONS = frozenset(
    """
    us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1
    eu-south-2 eu-west-1 eu-west-2 eu-west-3 af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3
    ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 il-central-1 me-central-1
    me-south-1 cn-northwest-1
    """.split()  # noqa: SIM905 - a list would be a line for each
)
"""Where ResolveCustomer answers."""

_MAX_CLAIM_TTL = Duration.hours(1)

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the variables as JSON.
_MAX_ENVIRONMENT_BYTES = 4096

# How CDK writes what is known at deployment only into a string.
_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")

# What the access log says of a request: enough to count and to find it, nothing that a caller could hide a secret in.
_ACCESS_LOG_FORMAT = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "userArn": "$context.identity.userArn",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationRequestId": "$context.integration.requestId",
    "integrationStatus": "$context.integrationStatus",
    "error": "$context.error.responseType",
}


@jsii.implements(apigwv2.IAccessLogSettings)
class _AccessLog:
    def __init__(self, log_group: logs.ILogGroup) -> None:
        self._destination = apigwv2.LogGroupLogDestination(log_group)
        self._format = apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG_FORMAT))

    @property
    def destination(self) -> apigwv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return self._format


@jsii.implements(iam.IGrantable)
class MarketplaceRegistration(Construct):
    """Registers the buyers of an AWS Marketplace SaaS product.

    Provisions an HTTP API with the fulfillment URL, a function that redeems each buyer's token with ResolveCustomer,
    a table of registrations, a table of single-use claims, logs, and alarms for throttling and errors. The buyer is
    sent on to the product's landing page with a ``registration_code`` that the product's backend exchanges for the
    registration, once, at ``claim_url``.

    https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        products: product code to the https URL of its landing page; tokens of any other product are refused.
        seller_role: role in the publishing account, assumed to redeem tokens; by default the product was published by
            this account. See ``MarketplaceSellerRole``.
        seller_role_external_id: what ``seller_role`` asks for; by default nothing.
        marketplace_region: where ResolveCustomer is called.
        table: your own registrations table (partition key ``CustomerAWSAccountId``, sort key ``ProductLicense``, both
            strings); by default one is made.
        encryption_key: encrypts the tables and log groups made here, in a stack whose ``env`` has a region; by default
            AWS owned keys do.
        domain: custom domain of the API, whose execute-api endpoint is then disabled; by default there is none.
        throttle: requests a second and burst of the API; by default 10 and 20.
        claim_ttl: how long a buyer's code can be exchanged, up to an hour; by default 10 minutes.
        support_url: https or mailto link on the pages that a buyer may see; by default none.
        login_url: https or mailto link on the pages that a buyer may see; by default none.
        alarm_actions: what every alarm does; by default nothing.
        alarm_settings: alarm's name to what is changed of it, or to None to leave it out; by default all are made as
            ``docs/runbook.md`` says.
        log_retention: how long logs are kept; by default the year that Marketplace asks of sellers.
        removal_policy: of the registrations table and the logs; by default they are retained, and the table is
            protected against deletion too.

    Raises:
        ValueError: a parameter that cannot work; the message says what was given and what is allowed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        products: Mapping[str, str],
        seller_role: iam.IRole | None = None,
        seller_role_external_id: str | None = None,
        marketplace_region: str = "us-east-1",
        table: dynamodb.ITableV2 | None = None,
        encryption_key: kms.IKey | None = None,
        domain: apigwv2.DomainMappingOptions | None = None,
        throttle: apigwv2.ThrottleSettings | None = None,
        claim_ttl: Duration | None = None,
        support_url: str | None = None,
        login_url: str | None = None,
        alarm_actions: Sequence[cloudwatch.IAlarmAction] = (),
        alarm_settings: Mapping[AlarmName, AlarmSettings | None] | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        claim_ttl = claim_ttl or Duration.minutes(10)
        _validate_products(products)
        _validate_claim_ttl(claim_ttl)
        _validate_marketplace_region(marketplace_region)
        _validate_partition(marketplace_region, Stack.of(self).region)
        _validate_url("support_url:", support_url, "https", "mailto")
        _validate_url("login_url:", login_url, "https", "mailto")
        _validate_alarm_settings(alarm_settings or {})
        _validate_throttle(throttle)
        _validate_encryption_key(encryption_key, Stack.of(self).region)
        _validate_removal_policy(removal_policy)
        if seller_role_external_id is not None and seller_role is None:
            raise ValueError("seller_role_external_id: is valid only with seller_role, got no seller_role")
        validate_external_id("seller_role_external_id", seller_role_external_id)

        store = RegistrationStore(
            self, "Store", table=table, encryption_key=encryption_key, removal_policy=removal_policy
        )
        self._table, self._claims_table = store.table, store.claims_table
        environment = {
            "PRODUCTS": Stack.of(self).to_json_string(dict(products)),
            "REGISTRATIONS_TABLE": self.table.table_name,
            "CLAIMS_TABLE": self.claims_table.table_name,
            "CLAIM_TTL_SECONDS": str(claim_ttl.to_seconds()),
            "MARKETPLACE_REGION": marketplace_region,
            "SELLER_ROLE_ARN": seller_role.role_arn if seller_role else None,
            "SELLER_ROLE_EXTERNAL_ID": seller_role_external_id,
            "SUPPORT_URL": support_url,
            "LOGIN_URL": login_url,
        }
        _validate_size(products, environment)
        if encryption_key:
            _let_logs_use(encryption_key, Stack.of(self))
        resolver = ResolverFunction(
            self,
            "Resolver",
            environment={name: value for name, value in environment.items() if value is not None},
            encryption_key=encryption_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        self._resolver, self._role, self._log_group = resolver.function, resolver.role, resolver.log_group
        self._access_log_group = logs.LogGroup(
            self, "AccessLog", encryption_key=encryption_key, retention=log_retention, removal_policy=removal_policy
        )
        self._api = apigwv2.HttpApi(
            self,
            "Api",
            description=f"AWS Marketplace registration, {self.node.path}",
            create_default_stage=False,
            disable_execute_api_endpoint=domain is not None,
        )
        self._stage = self._api.add_stage(
            "Stage",
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=_AccessLog(self._access_log_group),
            domain_mapping=domain,
            throttle=throttle or apigwv2.ThrottleSettings(rate_limit=10, burst_limit=20),
        )
        self._root_url = self._stage.domain_url if domain else self._stage.url
        self._add_routes()

        self._grant(seller_role)

        self._outcomes = OutcomeMetrics(
            self,
            "Outcomes",
            namespace=f"MarketplaceRegistration/{self.resolver.function_name}",
            resolver_log_group=self.log_group,
            access_log_group=self.access_log_group,
        )
        self._alarms = RegistrationAlarms(
            self, "Alarms", registration=self, actions=alarm_actions, settings=alarm_settings or {}
        ).alarms

    def _add_routes(self) -> None:
        integration = HttpLambdaIntegration("Resolver", self.resolver, scope_permission_to_route=False)
        open_routes = self._api.add_routes(
            path="/register", methods=[apigwv2.HttpMethod.GET, apigwv2.HttpMethod.POST], integration=integration
        )
        for route in open_routes:
            Validations.of(route).acknowledge(
                Acknowledgment(
                    id="AwsSolutions::AwsSolutions-APIG4",
                    reason="A buyer's browser comes from AWS Marketplace without credentials; the token authenticates.",
                )
            )
        self._api.add_routes(
            path="/claim", methods=[apigwv2.HttpMethod.POST], integration=integration, authorizer=HttpIamAuthorizer()
        )

    def _grant(self, seller_role: iam.IRole | None) -> None:
        self.table.grant(self.resolver, "dynamodb:GetItem", "dynamodb:UpdateItem")
        self.claims_table.grant(self.resolver, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        for table in (self.table, self.claims_table):
            if table.encryption_key:
                # CDK's own grant names these with wildcards.
                table.encryption_key.grant(
                    self.resolver,
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                )
        if seller_role:
            seller_role.grant_assume_role(self.grant_principal)
        else:
            grant_resolve_customer(self, self._role)

    @property
    def fulfillment_url(self) -> str:
        """The URL to enter in the listing on AWS Marketplace."""
        return f"{self._root_url.rstrip('/')}/register"

    @property
    def claim_url(self) -> str:
        """The URL where the product's backend exchanges a buyer's code, signed with IAM (SigV4)."""
        return f"{self._root_url.rstrip('/')}/claim"

    @property
    def api(self) -> apigwv2.HttpApi:
        """The HTTP API."""
        return self._api

    @property
    def stage(self) -> apigwv2.IHttpStage:
        """The API's one stage, ``$default``."""
        return self._stage

    @property
    def resolver(self) -> lambda_.Function:
        """The function that redeems tokens and answers claims."""
        return self._resolver

    @property
    def table(self) -> dynamodb.ITableV2:
        """The registrations: partition key ``CustomerAWSAccountId``, sort key ``ProductLicense``."""
        return self._table

    @property
    def claims_table(self) -> dynamodb.ITableV2:
        """The claims that wait to be taken: partition key ``CodeHash``."""
        return self._claims_table

    @property
    def log_group(self) -> logs.LogGroup:
        """The resolver's log: one JSON line for each request, with its ``outcome``."""
        return self._log_group

    @property
    def access_log_group(self) -> logs.LogGroup:
        """The API's access log: one JSON line for each request, those throttled included."""
        return self._access_log_group

    @property
    def alarms(self) -> Mapping[AlarmName, cloudwatch.Alarm]:
        """The alarms by name."""
        return self._alarms

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The resolver's role, for further grants."""
        return self._resolver.grant_principal

    def grant_claim(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let the product's backend exchange codes at ``claim_url``."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["execute-api:Invoke"],
            resource_arns=[self._api.arn_for_execute_api("POST", "/claim", "$default")],
        )

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let the grantee read the registrations, and decrypt them where the table's key asks for that."""
        return self._table.grant_read_data(grantee)

    def metric_registrations(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations, first and repeated; ``options`` are CDK's MetricOptions."""
        return self._outcomes.metric("Registrations", **options)

    def metric_claims(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the codes that were exchanged; ``options`` are CDK's MetricOptions."""
        return self._outcomes.metric("Claims", **options)

    def metric_bad_requests(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the requests without a token, or that could not be read."""
        return self._outcomes.metric("BadRequests", **options)

    def metric_tokens_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the tokens that Marketplace did not know or that had expired."""
        return self._outcomes.metric("TokensRefused", **options)

    def metric_products_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the tokens for products that are not in ``products``."""
        return self._outcomes.metric("ProductsRefused", **options)

    def metric_claims_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the codes that were unknown, used or expired."""
        return self._outcomes.metric("ClaimsRefused", **options)

    def metric_marketplace_time(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the time that ResolveCustomer took with its retries, in milliseconds."""
        return self._outcomes.metric("MarketplaceTime", **{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_store_time(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the time that the write of a registration took, in milliseconds."""
        return self._outcomes.metric("StoreTime", **{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_resolver_duration(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the resolver's time for a request, in milliseconds."""
        return self._resolver.metric_duration(**{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_registrations_system_errors(self, operation: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of DynamoDB's own failures at the registrations, by operation such as ``UpdateItem``."""
        return _system_errors(self._table, operation, options)

    def metric_claims_system_errors(self, operation: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of DynamoDB's own failures at the claims, by operation such as ``PutItem``."""
        return _system_errors(self._claims_table, operation, options)

    def metric_marketplace_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations that Marketplace throttled beyond the SDK's retries."""
        return self._outcomes.metric("MarketplaceThrottled", **options)

    def metric_marketplace_unavailable(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations that Marketplace failed or left unanswered."""
        return self._outcomes.metric("MarketplaceUnavailable", **options)

    def metric_marketplace_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations for which Marketplace refused the seller."""
        return self._outcomes.metric("MarketplaceRefused", **options)

    def metric_store_unavailable(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the requests that DynamoDB failed beyond the SDK's retries."""
        return self._outcomes.metric("StoreUnavailable", **options)

    def metric_api_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the requests that the API answered 429."""
        return self._outcomes.metric("ApiThrottled", **options)

    def metric_api_server_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the API's 5xx answers."""
        return self._api.metric_server_error(**{"statistic": cloudwatch.Stats.SUM, **options})

    def metric_resolver_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the resolver's unhandled failures."""
        return self._resolver.metric_errors(**options)

    def metric_resolver_throttles(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the resolver's invocations that Lambda refused."""
        return self._resolver.metric_throttles(**options)

    def metric_registrations_read_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled reads of the registrations."""
        return _throttled(self._table, "Read", options)

    def metric_registrations_write_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled writes of the registrations."""
        return _throttled(self._table, "Write", options)

    def metric_claims_read_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled reads of the claims."""
        return _throttled(self._claims_table, "Read", options)

    def metric_claims_write_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled writes of the claims."""
        return _throttled(self._claims_table, "Write", options)


def _throttled(table: dynamodb.ITableV2, kind: str, options: Mapping[str, Any]) -> cloudwatch.Metric:
    return table.metric(f"{kind}ThrottleEvents", **{"statistic": cloudwatch.Stats.SUM, **options})


def _system_errors(table: dynamodb.ITableV2, operation: str, options: Mapping[str, Any]) -> cloudwatch.Metric:
    # The metric has no figure for all operations together. CDK's own method would add them up in an expression, and
    # refuses a table that it did not make.
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name="SystemErrors",
        dimensions_map={"TableName": table.table_name, "Operation": operation},
        **{"statistic": cloudwatch.Stats.SUM, **options},
    )


def _let_logs_use(key: kms.IKey, stack: Stack) -> None:
    """Let CloudWatch Logs encrypt this account's log groups; an imported key's policy is for its owner to write.

    Of the principals used here, it alone is named after the partition: in China it ends in ``amazonaws.com.cn``.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    suffix = RegionInfo.get(stack.region).domain_suffix or Aws.URL_SUFFIX
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.{suffix}")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="*",
                        arn_format=ArnFormat.COLON_RESOURCE_NAME,
                    )
                }
            },
        )
    )


def _validate_products(products: Mapping[str, str]) -> None:
    if not products:
        raise ValueError("products: at least one product code with its landing page is needed, got none")
    for code, landing_page in products.items():
        if not code.strip():
            raise ValueError(f"products: a product code must not be empty, got {code!r}")
        _validate_url(f"products: landing page for {code!r}", landing_page, "https")


def _validate_url(name: str, url: str | None, *schemes: str) -> None:
    if url is None or Token.is_unresolved(url):
        return
    if not (_leads_somewhere(url, schemes) and _is_plain(url)):
        raise ValueError(f"{name} must be an {' or '.join(schemes)} URL, got {url!r}")


def _leads_somewhere(url: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        # Read for its complaint about a port that is none.
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.path if parts.scheme == "mailto" else host)


def _is_plain(url: str) -> bool:
    """Tell whether nothing in the URL could end it or start another line of a header."""
    return url.isascii() and url.isprintable() and " " not in url


def _validate_claim_ttl(claim_ttl: Duration) -> None:
    if claim_ttl.is_unresolved():
        if claim_ttl.unit_label() != "seconds":
            raise ValueError(f"claim_ttl: a token must be given as Duration.seconds, got {claim_ttl.unit_label()}")
        return
    seconds = claim_ttl.to_seconds(integral=False)
    if not (1 <= seconds <= _MAX_CLAIM_TTL.to_seconds() and seconds == int(seconds)):
        raise ValueError(
            f"claim_ttl: must be whole seconds, from 1 second to 1 hour, got {claim_ttl.to_human_string()}"
        )


def _validate_marketplace_region(region: str) -> None:
    if Token.is_unresolved(region) or region in MARKETPLACE_REGIONS:
        return
    raise ValueError(f"marketplace_region: must be one of {', '.join(sorted(MARKETPLACE_REGIONS))}, got {region!r}")


def _validate_partition(marketplace_region: str, stack_region: str) -> None:
    """Refuse a region where the stack's credentials, or those of any role that it can assume, are not valid."""
    if Token.is_unresolved(marketplace_region) or Token.is_unresolved(stack_region):
        return
    partition = RegionInfo.get(stack_region).partition
    if partition is None:  # a region newer than the CDK
        return
    valid = sorted(region for region in MARKETPLACE_REGIONS if RegionInfo.get(region).partition == partition)
    if marketplace_region not in valid:
        raise ValueError(
            f"marketplace_region: must be in the partition of the stack, {partition}, where ResolveCustomer answers in "
            f"{', '.join(valid) or 'no region'}, got {marketplace_region!r}"
        )


def _validate_throttle(throttle: apigwv2.ThrottleSettings | None) -> None:
    for name, limit in (("rate_limit", throttle.rate_limit), ("burst_limit", throttle.burst_limit)) if throttle else ():
        if limit is not None and not Token.is_unresolved(limit) and limit <= 0:
            raise ValueError(f"throttle: {name} must be above 0, as no request gets through else, got {limit:g}")


def _validate_encryption_key(key: kms.IKey | None, stack_region: str) -> None:
    if key and Token.is_unresolved(stack_region):
        raise ValueError(
            "encryption_key: needs a stack whose env has a region, as the CDK cannot write a table's key without, "
            "got a stack for any region"
        )


def _validate_removal_policy(removal_policy: RemovalPolicy) -> None:
    if removal_policy is RemovalPolicy.SNAPSHOT:
        allowed = ", ".join(policy.name for policy in RemovalPolicy if policy is not RemovalPolicy.SNAPSHOT)
        raise ValueError(
            f"removal_policy: must be one of {allowed}, as tables and logs have no snapshots, got SNAPSHOT"
        )


def _validate_size(products: Mapping[str, str], environment: Mapping[str, str | None]) -> None:
    """Refuse what Lambda would refuse in the middle of a deployment; of a token nothing is counted."""
    variables = {
        **{name: value for name, value in environment.items() if value is not None},
        "PRODUCTS": json.dumps(dict(products), separators=(",", ":"), ensure_ascii=False),
    }
    text = _TOKEN.sub("", json.dumps(variables, separators=(",", ":"), ensure_ascii=False))
    size = len(text.encode())
    if size > _MAX_ENVIRONMENT_BYTES:
        raise ValueError(
            f"products: with the other settings must fit Lambda's {_MAX_ENVIRONMENT_BYTES} bytes of environment, "
            f"got {size} bytes for {len(products)} products"
        )


def _validate_alarm_settings(settings: Mapping[AlarmName, AlarmSettings | None]) -> None:
    for name in settings:
        if name not in ALARM_NAMES:
            raise ValueError(f"alarm_settings: an alarm must be one of {', '.join(ALARM_NAMES)}, got {name!r}")
