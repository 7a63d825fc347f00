"""Checks of the parameters that only a registration construct has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from aws_cdk import CfnElement, RemovalPolicy, Resource, Stack, Token
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from constructs_lib._parameters import (
    ACTIONS,
    ALARM_SETTINGS,
    RUNBOOK_URL,
    differ,
    validate_external_id,
    validate_url,
)
from constructs_lib._types import (
    BOOLEAN,
    CONSTRUCT_ID,
    NUMBER,
    SCOPE,
    WHOLE,
    Kind,
    check_fields,
    check_type,
    duration,
    implementation,
    instance,
    mapping,
    text,
)
from constructs_lib.registration._store import TABLE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROLE = implementation('an IAM role, such as Role.from_role_arn(stack, "Seller", arn)', "grant_assume_role", iam.IRole)
_TABLE = implementation(
    'a DynamoDB table, such as TableV2.from_table_name(stack, "Table", name)',
    "grant_read_data",
    dynamodb.ITableV2,
    dynamodb.ITable,
)
_KEY = implementation('a KMS key, such as Key.from_key_arn(stack, "Key", arn)', "grant_encrypt_decrypt", kms.IKey)
_DOMAIN_NAME = implementation("a DomainName of aws_apigatewayv2", "regional_domain_name", apigwv2.IDomainName)
_GRANTEE = implementation("a role, a function or something else with a role", "grant_principal", iam.IGrantable)
_LINK = text("https://example.com/help").or_none()

PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "products": mapping('a dict of product code to landing page, such as {"a1b2…": "https://app.example.com/signup"}'),
    "seller_role": _ROLE.or_none(),
    "seller_role_external_id": text("a-value-of-your-own").or_none(),
    "marketplace_region": text("us-east-1"),
    "table": _TABLE.or_none(),
    "encryption_key": _KEY.or_none(),
    "domain": instance(
        "DomainMappingOptions(domain_name=…), or a dict of its fields", apigwv2.DomainMappingOptions, dict
    ).or_none(),
    "keep_execute_api_endpoint": BOOLEAN,
    "throttle": instance(
        "ThrottleSettings(rate_limit=…, burst_limit=…), or a dict of its fields", apigwv2.ThrottleSettings, dict
    ).or_none(),
    "reserved_concurrent_executions": WHOLE.or_none(),
    "sdk_ua_app_id": text("APN_1.1/pc_a1b2…$").or_none(),
    "claim_ttl": duration("Duration.minutes(10)").or_none(),
    "support_url": _LINK,
    "login_url": _LINK,
    "alarm_actions": ACTIONS,
    "ok_actions": ACTIONS,
    "runbook_url": RUNBOOK_URL,
    "alarm_settings": ALARM_SETTINGS,
    "log_retention": instance("one of RetentionDays, such as RetentionDays.ONE_YEAR", logs.RetentionDays),
    "removal_policy": instance("one of RemovalPolicy, such as RemovalPolicy.RETAIN", RemovalPolicy),
}
"""The kind of each parameter of ``MarketplaceRegistration``."""

_DOMAIN_FIELDS: Mapping[str, Kind] = {"domain_name": _DOMAIN_NAME, "mapping_key": text("aws").or_none()}
_THROTTLE_FIELDS: Mapping[str, Kind] = {"rate_limit": NUMBER.or_none(), "burst_limit": WHOLE.or_none()}
_THROTTLE_DEFAULTS: Mapping[str, int] = {"rate_limit": 10, "burst_limit": 20}

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the variables as JSON.
_MAX_ENVIRONMENT_BYTES = 4096

_MAX_TABLE_NAME = 255

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
_APP_ID = re.compile(r"[!-~]{1,50}")
# Two hyphens and up to 13 characters.
_NAME_SUFFIX = 15

# How the CDK writes a CDK token into a string.
_CDK_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")


# The pattern of the member in ResolveCustomer's response.
_PRODUCT_CODE = re.compile(r"[-a-zA-Z0-9/=:_.@]{1,255}")

_CODE_FIELD = "registration_code"


def validate_products(products: Mapping[str, str]) -> None:
    """Reject a map from which no buyer could be redirected anywhere."""
    if not products:
        raise ValueError("products: at least one product code with its landing page is needed, got none")
    for product_code, landing_page in products.items():
        _validate_product_code(product_code)
        _validate_landing_page(product_code, landing_page)


def _validate_product_code(product_code: str) -> None:
    check_type("products: a product code", product_code, text("a290sds6en72spp3ph4q890es"))
    if Token.is_unresolved(product_code):
        return
    if not product_code.strip():
        raise ValueError(f"products: a product code must not be empty, got {product_code!r}")
    if product_code != product_code.strip():
        raise ValueError(f"products: a product code must have no blanks around it, got {product_code!r}")
    if product_code.startswith("prod-"):
        raise ValueError(
            f"products: must be product codes, but {product_code!r} is a product ID; the AWS Marketplace Management "
            "Portal shows both"
        )
    if not _PRODUCT_CODE.fullmatch(product_code):
        raise ValueError(
            "products: a product code must be up to 255 characters out of letters, digits and -/=:_.@, "
            f"got {product_code!r}"
        )


def _validate_landing_page(product_code: str, landing_page: str) -> None:
    name = f"products: landing page for {product_code!r}"
    if landing_page is None:
        raise ValueError(
            f"{name} must be an https URL, got None; a context value or an environment variable that is not set is None"
        )
    check_type(name, landing_page, text("https://app.example.com/signup"))
    if Token.is_unresolved(landing_page):
        return
    if landing_page.strip() not in {"", landing_page}:
        raise ValueError(f"{name} must have no blanks around it, got {landing_page!r}")
    validate_url(name, landing_page, "https")
    if any(field == _CODE_FIELD for field, _ in parse_qsl(urlsplit(landing_page).query, keep_blank_values=True)):
        raise ValueError(
            f"{name} must not have {_CODE_FIELD} in its query, where the resolver adds it, got {landing_page!r}"
        )


def validate_seller_role(seller_role: iam.IRole | None, external_id: str | None) -> None:
    """Reject an external ID that no role asks for, or that STS rejects."""
    if external_id is not None and seller_role is None:
        raise ValueError("seller_role_external_id: requires seller_role")
    validate_external_id("seller_role_external_id", external_id)


def checked_throttle(throttle: apigwv2.ThrottleSettings | dict[str, Any] | None) -> apigwv2.ThrottleSettings:
    """Return the API's limits, the default for each that is left out; reject one that blocks every request."""
    given: Mapping[str, Any] = {}
    if isinstance(throttle, dict):
        given = throttle
    elif throttle is not None:
        given = {"rate_limit": throttle.rate_limit, "burst_limit": throttle.burst_limit}
    check_fields("throttle:", given, _THROTTLE_FIELDS)
    limits = {**_THROTTLE_DEFAULTS, **{name: limit for name, limit in given.items() if limit is not None}}
    for name, limit in limits.items():
        if not Token.is_unresolved(limit) and limit <= 0:
            raise ValueError(f"throttle: {name} must be greater than 0 (0 blocks every request), got {limit:g}")
    return apigwv2.ThrottleSettings(**limits)


def checked_domain(
    domain: apigwv2.DomainMappingOptions | dict[str, Any] | None,
) -> apigwv2.DomainMappingOptions | None:
    """Return the domain as the struct that it may have been written as a dict of."""
    if not isinstance(domain, dict):
        return domain
    check_fields("domain:", domain, _DOMAIN_FIELDS)
    return apigwv2.DomainMappingOptions(**domain)


def validate_domain(domain: apigwv2.DomainMappingOptions | None, *, keep_execute_api_endpoint: bool) -> None:
    """Reject a choice that only an API with a domain has."""
    if keep_execute_api_endpoint and domain is None:
        raise ValueError("keep_execute_api_endpoint: requires domain; without one the endpoint is always on")


def validate_reserved(executions: int | None) -> None:
    """Reject a reservation that blocks every request."""
    if executions is not None and not Token.is_unresolved(executions) and executions <= 0:
        raise ValueError(
            f"reserved_concurrent_executions: must be greater than 0 (0 blocks every request), got {executions}"
        )


def validate_sdk_ua_app_id(app_id: str | None) -> None:
    """Reject what the SDK would change, or complain of at every start."""
    if app_id is None or Token.is_unresolved(app_id) or _APP_ID.fullmatch(app_id):
        return
    raise ValueError(f"sdk_ua_app_id: must be 1 to 50 printable ASCII characters without blanks, got {app_id!r}")


def validate_grantee(grantee: iam.IGrantable, account: str) -> None:
    """Reject a backend in another account, which no policy of this one can let in."""
    check_type("grantee:", grantee, _GRANTEE)
    of_grantee = _account_of(grantee)
    if of_grantee and differ(of_grantee, account):
        raise ValueError(
            f"grantee: must be in the API's account, {account}, because an HTTP API has no resource policy, got one in "
            f"{of_grantee}; grant a role in {account}, and let the backend assume it"
        )


def _account_of(grantee: iam.IGrantable) -> str | None:
    principal: Any = grantee.grant_principal
    # The CDK's own object for a function that was imported without its role knows no account; the function does.
    known: str | None = getattr(principal, "principal_account", None)
    if known:
        return known
    if isinstance(principal, iam.ArnPrincipal):
        parts = principal.arn.split(":")
        return parts[4] if len(parts) > 4 else None  # noqa: PLR2004 - an ARN's account is its fifth part
    return grantee.env.account if isinstance(grantee, Resource) else None


def validate_table(table: dynamodb.ITable | dynamodb.ITableV2 | None, stack: Stack) -> None:
    """Reject a table of the seller's in which no registration could be stored, as far as that is known."""
    if table is None:
        return
    # Table, unlike TableV2, does not take its environment from the ARN that it is imported by.
    parts = [] if Token.is_unresolved(table.table_arn) else table.table_arn.split(":")[3:5]
    region, account = parts or (table.env.region, table.env.account)
    for name, of_table, of_stack in (("account", account, stack.account), ("region", region, stack.region)):
        if differ(of_table, of_stack):
            raise ValueError(
                f"table: must be in the {name} of the stack, {of_stack}, where the resolver calls DynamoDB and the "
                f"alarms find its metrics, got one in {of_table}"
            )
    if Token.is_unresolved(region) and not Token.is_unresolved(stack.region):
        raise ValueError(
            f"table: must be known to be in the region of the stack, {stack.region}, got one whose ARN is known at "
            'deployment only; import it by its name, such as TableV2.from_table_name(stack, "Table", name)'
        )
    resource = table.node.default_child
    if not isinstance(resource, dynamodb.CfnTable | dynamodb.CfnGlobalTable) or not resource.key_schema:
        return  # imported, or a replica of one that is elsewhere
    types = {each["attributeName"]: each["attributeType"] for each in stack.resolve(resource.attribute_definitions)}
    key = [(each["attributeName"], types[each["attributeName"]]) for each in stack.resolve(resource.key_schema)]
    if key != [(name, "S") for name in TABLE_KEY]:
        raise ValueError(
            f"table: must have the partition key {TABLE_KEY[0]} and the sort key {TABLE_KEY[1]}, both strings, got "
            f"{' and '.join(f'{name} ({kind})' for name, kind in key)}"
        )


def validate_size(
    products: Mapping[str, str],
    environment: Mapping[str, str],
    table: dynamodb.ITable | dynamodb.ITableV2,
    claims_table: dynamodb.ITable | dynamodb.ITableV2,
) -> None:
    """Fail at synth, not mid-deployment, if the environment exceeds Lambda's limit.

    CDK tokens count as empty, except the tables' names: these count at their longest.
    """
    tables = {"REGISTRATIONS_TABLE": table, "CLAIMS_TABLE": claims_table}
    variables = {
        **environment,
        "PRODUCTS": json.dumps(dict(products), separators=(",", ":"), ensure_ascii=False),
        **{name: "x" * _longest_name(each) for name, each in tables.items()},
    }
    text = _CDK_TOKEN.sub("", json.dumps(variables, separators=(",", ":"), ensure_ascii=False))
    size = len(text.encode())
    if size > _MAX_ENVIRONMENT_BYTES:
        raise ValueError(
            f"products: with the other settings must fit Lambda's {_MAX_ENVIRONMENT_BYTES} bytes of environment, "
            f"got {size} bytes for {len(products)} products"
        )


def _longest_name(table: dynamodb.ITable | dynamodb.ITableV2) -> int:
    """Return how long a table's name is or may become: CloudFormation makes it of stack, logical id and a suffix."""
    name, resource = table.table_name, table.node.default_child
    if not Token.is_unresolved(name):
        return len(name)
    if isinstance(resource, CfnElement) and not Token.is_unresolved(resource.stack.stack_name):
        stack = resource.stack
        made = len(stack.stack_name) + len(stack.get_logical_id(resource)) + _NAME_SUFFIX
        return min(made, _MAX_TABLE_NAME)
    return _MAX_TABLE_NAME
