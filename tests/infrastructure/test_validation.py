"""What cannot work is refused where it is written, with what was given and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import Duration, Fn, RemovalPolicy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template
from aws_cdk.aws_apigatewayv2 import ThrottleSettings

from constructs_lib import MarketplaceRegistration, MarketplaceSellerRole
from local.product import LANDING_PAGE, PRODUCT_CODE

REFUSED: list[tuple[dict[str, Any], str]] = [
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
        {"removal_policy": RemovalPolicy.SNAPSHOT},
        (
            "removal_policy: must be one of DESTROY, RETAIN, RETAIN_ON_UPDATE_OR_DELETE, because tables and logs "
            "have no snapshots, got SNAPSHOT"
        ),
    ),
]

# Those whose list of what is allowed is too long to stand here.
LONG = (
    "marketplace_region: must be one of af-south-1, .*, got 'us-gov-west-1'",
    "alarm_settings: an alarm must be one of ApiServerErrors, .*, got 'Noise'",
    "encryption_key: requires a stack with an explicit env.region, .*; got an environment-agnostic stack",
)

MESSAGES = (*(message for _, message in REFUSED), *LONG)


@pytest.mark.parametrize(("parameters", "message"), REFUSED)
def test_what_cannot_work_is_refused(stack: Stack, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(stack, "Registration", **{"products": {PRODUCT_CODE: LANDING_PAGE}, **parameters})

    assert str(refusal.value) == message


def test_a_region_where_marketplace_does_not_answer_is_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match=f"^{LONG[0]}$"):
        MarketplaceRegistration(
            stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, marketplace_region="us-gov-west-1"
        )


def test_an_alarm_that_there_is_not_is_refused(stack: Stack) -> None:
    settings: Any = {"Noise": None}
    with pytest.raises(ValueError, match=f"^{LONG[1]}$"):
        MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, alarm_settings=settings)


def test_a_key_is_refused_where_the_cdk_could_not_write_it_into_the_table(stack: Stack) -> None:
    with pytest.raises(ValueError, match=f"^{LONG[2]}$"):
        MarketplaceRegistration(
            stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE}, encryption_key=kms.Key(stack, "Key")
        )


def test_what_is_known_at_deployment_only_is_let_through(stack: Stack) -> None:
    def later() -> str:
        return Fn.import_value("later")

    MarketplaceRegistration(
        stack,
        "Registration",
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
def test_an_external_id_that_sts_does_not_take_is_refused_on_both_sides(stack: Stack, external_id: str) -> None:
    says = f"must be 2 to 1224 characters out of letters, digits and _+=,.@:/-, got {external_id!r}"
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::444455556666:role/seller")

    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(
            stack,
            "Registration",
            products={PRODUCT_CODE: LANDING_PAGE},
            seller_role=role,
            seller_role_external_id=external_id,
        )
    assert str(refusal.value) == f"seller_role_external_id: {says}"

    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the message is compared whole
        MarketplaceSellerRole(stack, "Seller", trusted=iam.AccountPrincipal("111122223333"), external_id=external_id)
    assert str(refusal.value) == f"external_id: {says}"


def products_of_bytes(size: int, construct_id: str = "Registration") -> dict[str, str]:
    """Return one product that fills the environment to that size, as far as it is known at synthesis."""
    others = {
        "PRODUCTS": json.dumps({PRODUCT_CODE: LANDING_PAGE}, separators=(",", ":")),
        # Names that CloudFormation makes: stack, logical id and a suffix.
        "REGISTRATIONS_TABLE": "x" * len(f"Stack-{construct_id}StoreRegistrations12345678-1234567890123"),
        "CLAIMS_TABLE": "x" * len(f"Stack-{construct_id}StoreClaims12345678-1234567890123"),
        "CLAIM_TTL_SECONDS": "600",
        "MARKETPLACE_REGION": "us-east-1",
    }
    return {PRODUCT_CODE: LANDING_PAGE + "x" * (size - len(json.dumps(others, separators=(",", ":"))))}


def test_what_does_not_fit_a_functions_environment_is_refused(stack: Stack) -> None:
    MarketplaceRegistration(stack, "Fits", products=products_of_bytes(4096, "Fits"))

    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(stack, "Registration", products=products_of_bytes(4097))

    assert str(refusal.value) == (
        "products: with the other settings must fit Lambda's 4096 bytes of environment, got 4097 bytes for 1 products"
    )


def test_the_other_settings_count_and_what_is_known_at_deployment_only_does_not(stack: Stack) -> None:
    products = products_of_bytes(4080)
    link = "https://example.com/login"

    with pytest.raises(ValueError, match=r"got 4120 bytes for 1 products$"):
        MarketplaceRegistration(stack, "Registration", products=products, login_url=link)

    many = {f"{PRODUCT_CODE}{number}": Fn.import_value(f"{number}" * 200) for number in range(40)}
    MarketplaceRegistration(stack, "Tokens", products=many)
