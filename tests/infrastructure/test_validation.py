"""An invalid parameter is rejected at synth, with a message that has the value and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import Duration, Fn, RemovalPolicy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template
from aws_cdk.aws_apigatewayv2 import ThrottleSettings

from constructs_lib import MarketplaceSellerRole
from local.product import LANDING_PAGE, PRODUCT_CODE
from tests.infrastructure.stacks import register

REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"products": {}}, "products: at least one product code with its landing page is needed, got none"),
    ({"products": {" ": LANDING_PAGE}}, "products: a product code must not be empty, got ' '"),
    (
        {"products": {"abc": "http://app.example.com"}},
        "products: landing page for 'abc' must be an https URL, got 'http://app.example.com'",
    ),
    (
        {"products": {"abc": "https:///signup"}},
        "products: landing page for 'abc' must be an https URL, got 'https:///signup'",
    ),
    (
        {"products": {"abc": "https://a.example/\r\nSet-Cookie: a=b"}},
        "products: landing page for 'abc' must be an https URL, got 'https://a.example/\\r\\nSet-Cookie: a=b'",
    ),
    (
        {"support_url": "javascript:alert(1)"},
        "support_url: must be an https or mailto URL, got 'javascript:alert(1)'",
    ),
    ({"login_url": "app.example.com"}, "login_url: must be an https or mailto URL, got 'app.example.com'"),
    ({"claim_ttl": Duration.hours(2)}, "claim_ttl: must be whole seconds, from 1 second to 1 hour, got 2 hours"),
    ({"claim_ttl": Duration.millis(5)}, "claim_ttl: must be whole seconds, from 1 second to 1 hour, got 5 millis"),
    (
        {"claim_ttl": Duration.millis(1500)},
        "claim_ttl: must be whole seconds, from 1 second to 1 hour, got 1 second 500 millis",
    ),
    (
        {"seller_role_external_id": "id"},
        "seller_role_external_id: requires seller_role",
    ),
    (
        {"products": {"abc": "https://[app.example.com"}},
        "products: landing page for 'abc' must be an https URL, got 'https://[app.example.com'",
    ),
    (
        {"products": {"abc": "https://app.example.com:443x/"}},
        "products: landing page for 'abc' must be an https URL, got 'https://app.example.com:443x/'",
    ),
    (
        {"products": {"abc": "https://user@/"}},
        "products: landing page for 'abc' must be an https URL, got 'https://user@/'",
    ),
    ({"runbook_url": "http://wiki.example.com"}, "runbook_url: must be an https URL, got 'http://wiki.example.com'"),
    (
        {"runbook_url": "https://wiki.example.com/#top"},
        "runbook_url: must have no fragment, as each alarm appends its own, got 'https://wiki.example.com/#top'",
    ),
    ({"support_url": "mailto:"}, "support_url: must be an https or mailto URL, got 'mailto:'"),
    (
        {"claim_ttl": Duration.minutes(Token.as_number({"Ref": "Minutes"}))},
        "claim_ttl: a CDK token must be given as Duration.seconds, got minutes",
    ),
    (
        {"throttle": ThrottleSettings(rate_limit=0, burst_limit=1)},
        "throttle: rate_limit must be greater than 0 (0 blocks every request), got 0",
    ),
    (
        {"throttle": ThrottleSettings(rate_limit=1, burst_limit=-1)},
        "throttle: burst_limit must be greater than 0 (0 blocks every request), got -1",
    ),
    (
        {"keep_execute_api_endpoint": True},
        "keep_execute_api_endpoint: requires domain; without one the endpoint is always on",
    ),
    (
        {"reserved_concurrent_executions": 0},
        "reserved_concurrent_executions: must be greater than 0 (0 blocks every request), got 0",
    ),
    (
        {"sdk_ua_app_id": ""},
        "sdk_ua_app_id: must be 1 to 50 printable ASCII characters without blanks, got ''",
    ),
    (
        {"sdk_ua_app_id": "an app"},
        "sdk_ua_app_id: must be 1 to 50 printable ASCII characters without blanks, got 'an app'",
    ),
    (
        {"sdk_ua_app_id": "a" * 51},
        f"sdk_ua_app_id: must be 1 to 50 printable ASCII characters without blanks, got '{'a' * 51}'",
    ),
    (
        {"removal_policy": RemovalPolicy.SNAPSHOT},
        (
            "removal_policy: must be one of DESTROY, RETAIN, RETAIN_ON_UPDATE_OR_DELETE, because tables and logs "
            "have no snapshots, got SNAPSHOT"
        ),
    ),
]

# Messages whose list of allowed values is too long to repeat.
LONG = (
    "marketplace_region: must be one of af-south-1, .*, got 'us-gov-west-1'",
    "alarm_settings: an alarm must be one of ApiServerErrors, .*, got 'Noise'",
    "encryption_key: requires a stack with an explicit env.region, .*; got an environment-agnostic stack",
)

MESSAGES = (*(message for _, message in REJECTED), *LONG)


@pytest.mark.parametrize(("parameters", "message"), REJECTED)
def test_an_invalid_parameter_is_rejected(stack: Stack, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, **parameters)

    assert str(rejection.value) == message


def test_a_region_without_marketplace_is_rejected(stack: Stack) -> None:
    with pytest.raises(ValueError, match=f"^{LONG[0]}$"):
        register(stack, marketplace_region="us-gov-west-1")


def test_an_unknown_alarm_name_is_rejected(stack: Stack) -> None:
    settings: Any = {"Noise": None}
    with pytest.raises(ValueError, match=f"^{LONG[1]}$"):
        register(stack, alarm_settings=settings)


def test_a_key_in_an_environment_agnostic_stack_is_rejected(stack: Stack) -> None:
    with pytest.raises(ValueError, match=f"^{LONG[2]}$"):
        register(stack, encryption_key=kms.Key(stack, "Key"))


def test_cdk_tokens_are_accepted(stack: Stack) -> None:
    def later() -> str:
        return Fn.import_value("later")

    register(
        stack,
        products={PRODUCT_CODE: later()},
        marketplace_region=later(),
        support_url=later(),
        login_url=later(),
    )

    template = Template.from_stack(stack)
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    variables = function["Properties"]["Environment"]["Variables"]
    assert variables["MARKETPLACE_REGION"] == variables["SUPPORT_URL"] == {"Fn::ImportValue": "later"}
    assert {"Fn::ImportValue": "later"} in variables["PRODUCTS"]["Fn::Join"][1]


@pytest.mark.parametrize("external_id", ["", "x", "with space", "ünicode", "x" * 1225])
def test_an_external_id_that_sts_rejects_is_rejected_on_both_sides(stack: Stack, external_id: str) -> None:
    says = f"must be 2 to 1224 characters out of letters, digits and _+=,.@:/-, got {external_id!r}"
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::444455556666:role/seller")

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, seller_role=role, seller_role_external_id=external_id)
    assert str(rejection.value) == f"seller_role_external_id: {says}"

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        MarketplaceSellerRole(stack, "Seller", trusted=iam.AccountPrincipal("111122223333"), external_id=external_id)
    assert str(rejection.value) == f"external_id: {says}"


def products_of_bytes(size: int, construct_id: str = "Registration") -> dict[str, str]:
    """Return one product that fills the variables to that size, the tables' names counting at their longest."""
    others = {
        "PRODUCTS": json.dumps({PRODUCT_CODE: LANDING_PAGE}, separators=(",", ":")),
        # Names that CloudFormation makes: stack, logical id and a suffix.
        "REGISTRATIONS_TABLE": "x" * len(f"Stack-{construct_id}StoreRegistrations12345678-1234567890123"),
        "CLAIMS_TABLE": "x" * len(f"Stack-{construct_id}StoreClaims12345678-1234567890123"),
        "CLAIM_TTL_SECONDS": "600",
        "MARKETPLACE_REGION": "us-east-1",
    }
    return {PRODUCT_CODE: LANDING_PAGE + "x" * (size - len(json.dumps(others, separators=(",", ":"))))}


def test_products_that_exceed_lambdas_environment_are_rejected(stack: Stack) -> None:
    register(stack, "Fits", products=products_of_bytes(4096, "Fits"))

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, products=products_of_bytes(4097))

    assert str(rejection.value) == (
        "products: with the other settings must fit Lambda's 4096 bytes of environment, got 4097 bytes for 1 products"
    )


def test_other_settings_count_toward_the_environment_and_cdk_tokens_do_not(stack: Stack) -> None:
    products = products_of_bytes(4080)
    link = "https://example.com/login"

    with pytest.raises(ValueError, match=r"got 4120 bytes for 1 products$"):
        register(stack, products=products, login_url=link)

    many = {f"{PRODUCT_CODE}{number}": Fn.import_value(f"{number}" * 200) for number in range(40)}
    register(stack, "Tokens", products=many)
