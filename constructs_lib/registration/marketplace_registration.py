"""One statement in a seller's stack that gives a product its fulfillment URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from constructs_lib._marketplace_access import grant_resolve_customer
from constructs_lib._parameters import (
    validate_alarm_names,
    validate_alarms,
    validate_encryption_key,
    validate_marketplace_region,
    validate_removal_policy,
    validate_seconds,
    validate_url,
)
from constructs_lib._types import check_types, shown
from constructs_lib.functions._lambda_function import LambdaFunction
from constructs_lib.functions._log_group import allow_logs_to_use, make_log_group
from constructs_lib.monitoring._alarms import make_alarms, validate_alarm_settings, validate_runbook_url
from constructs_lib.monitoring._log_metrics import LogMetrics
from constructs_lib.registration._api import add_routes, make_api
from constructs_lib.registration._metrics import RegistrationMetrics
from constructs_lib.registration._outcomes import CODES_UNCLAIMED, COUNTS, TIMES
from constructs_lib.registration._parameters import (
    PARAMETERS,
    checked_domain,
    checked_throttle,
    validate_domain,
    validate_grantee,
    validate_products,
    validate_reserved,
    validate_sdk_ua_app_id,
    validate_seller_role,
    validate_size,
    validate_table,
)
from constructs_lib.registration._resolver import MEMORY_MIB, RESOLVER, TIMEOUT_SECONDS
from constructs_lib.registration._shared import Shared
from constructs_lib.registration._signals import SIGNALS
from constructs_lib.registration._store import RegistrationStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_apigatewayv2 as apigwv2
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_

    from constructs_lib.monitoring.alarm_settings import AlarmSettings
    from constructs_lib.registration.alarm_name import AlarmName

# API Gateway writes the status into its log as a string.
_TOO_MANY_REQUESTS = "429"
_FORBIDDEN = "403"


@jsii.implements(iam.IGrantable)
class MarketplaceRegistration(RegistrationMetrics, Construct):
    """Registers the buyers of an AWS Marketplace SaaS product.

    Provisions an HTTP API with the fulfillment URL, the resolver (a Lambda function that redeems each buyer's
    registration token with ResolveCustomer), a registrations table, a table of single-use claim records, logs, and
    alarms for throttling and errors. The buyer is redirected to the product's landing page with a
    ``registration_code``, which the product's backend claims once, at ``claim_url``, to get the registration.

    https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        products: product code to the https URL of its landing page; tokens for any other product are rejected.
        seller_role: role in the publishing account, assumed to redeem tokens; by default this account published the
            product. See ``MarketplaceSellerRole``.
        seller_role_external_id: external ID that ``seller_role`` requires; by default none.
        marketplace_region: region in which ResolveCustomer is called.
        table: your own registrations table, in the stack's account and region (partition key
            ``CustomerAWSAccountId``, sort key ``ProductLicense``, both strings); by default one is created.
        encryption_key: encrypts the tables, log groups and environment variables created here, in a stack whose
            ``env`` has a region; by default AWS owned keys do.
        domain: custom domain of the API, whose execute-api endpoint is then disabled; by default there is none.
        keep_execute_api_endpoint: leaves that endpoint on, until the listing has the URL of the ``domain``.
        throttle: the API's requests per second and burst; by default 10 and 20, also for the one that is left out.
        reserved_concurrent_executions: what of the account's concurrency is the resolver's alone, and its limit; by
            default nothing is reserved.
        sdk_ua_app_id: application ID in the User-Agent of calls to AWS, at most 50 characters; AWS Partner
            Revenue Measurement asks Marketplace sellers for ``APN_1.1/pc_PRODUCT_CODE$``. By default none.
            https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
        claim_ttl: how long a registration code can be claimed, up to an hour; by default 10 minutes.
        support_url: https or mailto link on the pages that a buyer may see; by default none.
        login_url: https or mailto link on the pages that a buyer may see; by default none.
        alarm_actions: actions of every alarm when it fires; by default none.
        ok_actions: actions of every alarm when it returns to OK; by default none.
        runbook_url: https URL of your copy of ``docs/runbook.md``; every alarm's text then ends in the link to its
            section. By default it names the file.
        alarm_settings: alarm name to its overrides, or to None to leave the alarm out; by default all alarms are
            created as ``docs/runbook.md`` says.
        log_retention: how long logs are kept; by default the year that Marketplace asks of sellers.
        removal_policy: of the registrations table and the logs; by default they are retained, and the table is
            protected against deletion too.

    Raises:
        ValueError: a parameter is invalid; the message gives the value and what is allowed.
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
        domain: apigwv2.DomainMappingOptions | dict[str, Any] | None = None,
        keep_execute_api_endpoint: bool = False,
        throttle: apigwv2.ThrottleSettings | dict[str, Any] | None = None,
        reserved_concurrent_executions: int | None = None,
        sdk_ua_app_id: str | None = None,
        claim_ttl: Duration | None = None,
        support_url: str | None = None,
        login_url: str | None = None,
        alarm_actions: Sequence[cloudwatch.IAlarmAction] = (),
        ok_actions: Sequence[cloudwatch.IAlarmAction] = (),
        runbook_url: str | None = None,
        alarm_settings: Mapping[AlarmName, AlarmSettings | None] | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        check_types(PARAMETERS, locals())
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        claim_ttl = claim_ttl or Duration.minutes(10)
        mapping = checked_domain(domain)
        validate_products(products)
        validate_seconds("claim_ttl", claim_ttl, Duration.seconds(1), Duration.hours(1))
        validate_domain(mapping, keep_execute_api_endpoint=keep_execute_api_endpoint)
        validate_reserved(reserved_concurrent_executions)
        validate_sdk_ua_app_id(sdk_ua_app_id)
        validate_marketplace_region(self, marketplace_region)
        validate_url("support_url:", support_url, "https", "mailto")
        validate_url("login_url:", login_url, "https", "mailto")
        validate_alarms(alarm_actions=alarm_actions, ok_actions=ok_actions, alarm_settings=alarm_settings or {})
        validate_alarm_names(alarm_settings or {}, SIGNALS)
        validate_alarm_settings(alarm_settings or {}, SIGNALS)
        validate_url("runbook_url:", runbook_url, "https")
        validate_runbook_url(runbook_url, SIGNALS)
        limits = checked_throttle(throttle)
        validate_encryption_key(encryption_key, stack.region)
        validate_removal_policy(removal_policy)
        validate_seller_role(seller_role, seller_role_external_id)
        validate_table(table, stack)

        store = RegistrationStore(
            self, "Store", table=table, encryption_key=encryption_key, removal_policy=removal_policy
        )
        self._table, self._claims_table = store.table, store.claims_table
        optional = {
            "SELLER_ROLE_ARN": seller_role.role_arn if seller_role else None,
            "SELLER_ROLE_EXTERNAL_ID": seller_role_external_id,
            "AWS_SDK_UA_APP_ID": sdk_ua_app_id,
            "SUPPORT_URL": support_url,
            "LOGIN_URL": login_url,
        }
        environment = {
            "PRODUCTS": stack.to_json_string(dict(products)),
            "REGISTRATIONS_TABLE": self.table.table_name,
            "CLAIMS_TABLE": self.claims_table.table_name,
            "CLAIM_TTL_SECONDS": str(claim_ttl.to_seconds()),
            "MARKETPLACE_REGION": marketplace_region,
            **{name: value for name, value in optional.items() if value is not None},
        }
        validate_size(products, environment, self.table, self.claims_table)
        self._shared = Shared(
            products=products,
            seller_role=seller_role,
            seller_role_external_id=seller_role_external_id,
            marketplace_region=marketplace_region,
            encryption_key=encryption_key,
            sdk_ua_app_id=sdk_ua_app_id,
            alarm_actions=alarm_actions,
            ok_actions=ok_actions,
            runbook_url=runbook_url,
            log_retention=log_retention,
            removal_policy=removal_policy,
            resolver_environment=environment,
        )
        if encryption_key:
            allow_logs_to_use(encryption_key, stack)
        resolver = LambdaFunction(
            self,
            "Resolver",
            asset=RESOLVER,
            description="Redeems AWS Marketplace registration tokens and lets the product claim the registrations",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=MEMORY_MIB,
            environment=environment,
            reserved_concurrent_executions=reserved_concurrent_executions,
            encryption_key=encryption_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        self._resolver, self._log_group = resolver.function, resolver.log_group
        self._access_log_group = make_log_group(
            self,
            "AccessLog",
            encryption_key=encryption_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        self._api, self._stage = make_api(
            self,
            domain=mapping,
            keep_execute_api_endpoint=keep_execute_api_endpoint,
            throttle=limits,
            access_log_group=self._access_log_group,
        )
        self._root_url = (self._stage.domain_url if mapping else self._stage.url).rstrip("/")
        add_routes(self._api, self._resolver)

        store.grant_use(self._resolver)
        if seller_role:
            seller_role.grant_assume_role(self.grant_principal)
        else:
            grant_resolve_customer(self, resolver.role)

        self._log_metrics = LogMetrics(
            self,
            "Outcomes",
            namespace=f"MarketplaceRegistration/{self._resolver.function_name}",
            log_group=self._log_group,
            counts=COUNTS,
            times=TIMES,
        )
        # An HTTP API has no metric for what it throttles.
        self._log_metrics.add(
            "ApiThrottled",
            self._access_log_group,
            logs.FilterPattern.string_value("$.status", "=", _TOO_MANY_REQUESTS),
        )
        # Denied before it reaches the resolver. A buyer's 403 at /register is ProductsRefused.
        self._log_metrics.add(
            "ClaimsDenied",
            self._access_log_group,
            logs.FilterPattern.all(
                logs.FilterPattern.string_value("$.routeKey", "=", "POST /claim"),
                logs.FilterPattern.string_value("$.status", "=", _FORBIDDEN),
            ),
        )
        self._log_metrics.add_difference(
            CODES_UNCLAIMED, self._log_group, plus=COUNTS["Registrations"], minus=COUNTS["Claims"]
        )
        self._alarms = make_alarms(
            self,
            signals=SIGNALS,
            actions=alarm_actions,
            ok_actions=ok_actions,
            runbook_url=runbook_url,
            settings=alarm_settings or {},
        )

    @property
    def fulfillment_url(self) -> str:
        """The URL to enter in the listing on AWS Marketplace."""
        return f"{self._root_url}/register"

    @property
    def claim_url(self) -> str:
        """The URL at which the product's backend claims a registration code, signed with IAM (SigV4)."""
        return f"{self._root_url}/claim"

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
        """The Lambda function that redeems registration tokens and answers claims."""
        return self._resolver

    @property
    def table(self) -> dynamodb.ITableV2:
        """The registrations table: partition key ``CustomerAWSAccountId``, sort key ``ProductLicense``."""
        return self._table

    @property
    def claims_table(self) -> dynamodb.ITableV2:
        """The claims table, with a claim record per registration code: partition key ``CodeHash``."""
        return self._claims_table

    @property
    def log_group(self) -> logs.LogGroup:
        """The resolver's log: one JSON line for each request, with its ``outcome``."""
        return self._log_group

    @property
    def access_log_group(self) -> logs.LogGroup:
        """The API's access log: one JSON line for each request, throttled ones included."""
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
        """Let the product's backend claim registration codes at ``claim_url``.

        An HTTP API has no resource policy, so a backend in another account assumes a role of this account.

        Raises:
            ValueError: the grantee is in another account, or takes no policy.
        """
        validate_grantee(grantee, Stack.of(self).account)
        grant = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["execute-api:Invoke"],
            resource_arns=[self._api.arn_for_execute_api("POST", "/claim", "$default")],
        )
        if not grant.success:
            raise ValueError(
                f"grantee: must take a policy, as a role or a function does, got {shown(grantee)}, which takes none"
            )
        return grant

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let the grantee read the registrations, and decrypt them if the table's key requires that."""
        return self._table.grant_read_data(grantee)
