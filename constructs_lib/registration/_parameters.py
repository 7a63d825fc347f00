"""Checks of the parameters that only a registration construct has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from aws_cdk import Duration, Token

from constructs_lib._parameters import validate_external_id, validate_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_apigatewayv2 as apigwv2
    from aws_cdk import aws_iam as iam

_MAX_CLAIM_TTL = Duration.hours(1)

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the variables as JSON.
_MAX_ENVIRONMENT_BYTES = 4096

# How the CDK writes a CDK token into a string.
_CDK_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")


def validate_products(products: Mapping[str, str]) -> None:
    """Reject a map from which no buyer could be redirected anywhere."""
    if not products:
        raise ValueError("products: at least one product code with its landing page is needed, got none")
    for product_code, landing_page in products.items():
        if not product_code.strip():
            raise ValueError(f"products: a product code must not be empty, got {product_code!r}")
        validate_url(f"products: landing page for {product_code!r}", landing_page, "https")


def validate_seller_role(seller_role: iam.IRole | None, external_id: str | None) -> None:
    """Reject an external ID that no role asks for, or that STS rejects."""
    if external_id is not None and seller_role is None:
        raise ValueError("seller_role_external_id: requires seller_role")
    validate_external_id("seller_role_external_id", external_id)


def validate_claim_ttl(claim_ttl: Duration) -> None:
    """Reject what the resolver cannot count in whole seconds, or what keeps a registration code valid for too long."""
    if claim_ttl.is_unresolved():
        if claim_ttl.unit_label() != "seconds":
            raise ValueError(f"claim_ttl: a CDK token must be given as Duration.seconds, got {claim_ttl.unit_label()}")
        return
    seconds = claim_ttl.to_seconds(integral=False)
    if not (1 <= seconds <= _MAX_CLAIM_TTL.to_seconds() and seconds == int(seconds)):
        raise ValueError(
            f"claim_ttl: must be whole seconds, from 1 second to 1 hour, got {claim_ttl.to_human_string()}"
        )


def validate_throttle(throttle: apigwv2.ThrottleSettings | None) -> None:
    """Reject a limit that blocks every request."""
    for name, limit in (("rate_limit", throttle.rate_limit), ("burst_limit", throttle.burst_limit)) if throttle else ():
        if limit is not None and not Token.is_unresolved(limit) and limit <= 0:
            raise ValueError(f"throttle: {name} must be greater than 0 (0 blocks every request), got {limit:g}")


def validate_size(products: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Fail at synth, not mid-deployment, if the environment exceeds Lambda's limit; CDK tokens count as empty."""
    variables = {
        **environment,
        "PRODUCTS": json.dumps(dict(products), separators=(",", ":"), ensure_ascii=False),
    }
    text = _CDK_TOKEN.sub("", json.dumps(variables, separators=(",", ":"), ensure_ascii=False))
    size = len(text.encode())
    if size > _MAX_ENVIRONMENT_BYTES:
        raise ValueError(
            f"products: with the other settings must fit Lambda's {_MAX_ENVIRONMENT_BYTES} bytes of environment, "
            f"got {size} bytes for {len(products)} products"
        )
