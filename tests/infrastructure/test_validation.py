"""What cannot work is refused where it is written, with what was given and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Duration, Fn, Stack
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from tests.infrastructure.stacks import LANDING_PAGE, PRODUCT


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
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
            "seller_role_external_id: is valid only with seller_role, got no seller_role",
        ),
    ],
)
def test_what_cannot_work_is_refused(stack: Stack, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(stack, "Registration", **{"products": {PRODUCT: LANDING_PAGE}, **parameters})

    assert str(refusal.value) == message


def test_a_region_where_marketplace_does_not_answer_is_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match=r"^marketplace_region: must be one of af-south-1, .*, got 'us-gov-west-1'$"):
        MarketplaceRegistration(
            stack, "Registration", products={PRODUCT: LANDING_PAGE}, marketplace_region="us-gov-west-1"
        )


def test_an_alarm_that_there_is_not_is_refused(stack: Stack) -> None:
    settings: Any = {"Noise": None}
    with pytest.raises(ValueError, match=r"^alarm_settings: an alarm must be one of ApiServerErrors, .*, got 'Noise'$"):
        MarketplaceRegistration(stack, "Registration", products={PRODUCT: LANDING_PAGE}, alarm_settings=settings)


def test_what_is_known_at_deployment_only_is_let_through(stack: Stack) -> None:
    def later() -> str:
        return Fn.import_value("later")

    MarketplaceRegistration(
        stack,
        "Registration",
        products={PRODUCT: later()},
        marketplace_region=later(),
        support_url=later(),
        login_url=later(),
    )

    template = Template.from_stack(stack)
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    variables = function["Properties"]["Environment"]["Variables"]
    assert variables["MARKETPLACE_REGION"] == variables["SUPPORT_URL"] == {"Fn::ImportValue": "later"}
    assert {"Fn::ImportValue": "later"} in variables["PRODUCTS"]["Fn::Join"][1]
