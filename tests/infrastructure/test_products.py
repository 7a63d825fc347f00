"""A product that no buyer could reach is rejected, each mistake with a sentence of its own."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Fn, Stack

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

CODES = [
    (None, "a product code must be a string, such as 'a290sds6en72spp3ph4q890es', got None"),
    ("", "a product code must not be empty, got ''"),
    (f" {PRODUCT_CODE}", f"a product code must have no blanks around it, got ' {PRODUCT_CODE}'"),
    (f"{PRODUCT_CODE}\n", f"a product code must have no blanks around it, got '{PRODUCT_CODE}\\n'"),
    (
        "prod-ab12cd34ef56g",
        (
            "must be product codes, but 'prod-ab12cd34ef56g' is a product ID; the AWS Marketplace Management Portal "
            "shows both"
        ),
    ),
    (
        "a b",
        "a product code must be up to 255 characters out of letters, digits and -/=:_.@, got 'a b'",
    ),
    (
        "x" * 256,
        f"a product code must be up to 255 characters out of letters, digits and -/=:_.@, got '{'x' * 256}'",
    ),
]
PAGES = [
    (
        None,
        "must be an https URL, got None; a context value or an environment variable that is not set is None",
    ),
    (f"{LANDING_PAGE} ", f"must have no blanks around it, got '{LANDING_PAGE} '"),
    (f"\t{LANDING_PAGE}", f"must have no blanks around it, got '\\t{LANDING_PAGE}'"),
    (" ", "must be an https URL, got ' '"),
    *(
        (
            f"{LANDING_PAGE}{query}",
            f"must not have registration_code in its query, where the resolver adds it, got '{LANDING_PAGE}{query}'",
        )
        for query in (
            "?registration_code=x",
            "?a=b&registration_code",
            "?registration%5Fcode=#top",
            "?a=b;c&registration_code=%20",
        )
    ),
]


def rejected(stack: Stack, products: dict[Any, Any]) -> str:
    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE, **products})
    return str(rejection.value)


@pytest.mark.parametrize(("product_code", "message"), CODES)
def test_a_product_code_that_marketplace_does_not_send_is_rejected(
    stack: Stack, product_code: str | None, message: str
) -> None:
    assert rejected(stack, {product_code: LANDING_PAGE}) == f"products: {message}"


@pytest.mark.parametrize(("landing_page", "message"), PAGES)
def test_a_landing_page_to_which_no_buyer_could_be_redirected_is_rejected(
    stack: Stack, landing_page: str | None, message: str
) -> None:
    assert rejected(stack, {"abc": landing_page}) == f"products: landing page for 'abc' {message}"


@pytest.mark.parametrize(
    "landing_page",
    [
        "https://app.example.com/?from=aws&registration_codes=1",
        "https://app.example.com/registration_code?a=registration_code#registration_code=",
        # Its text differs from run to run.
        pytest.param(Fn.import_value("landing-page"), id="later"),
    ],
)
def test_what_only_looks_like_a_mistake_is_let_through(stack: Stack, landing_page: str) -> None:
    MarketplaceRegistration(
        stack, "Registration", products={"AbC-/=:_.@09": landing_page, Fn.import_value("code"): landing_page}
    )
