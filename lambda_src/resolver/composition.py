"""Puts the function together: settings to clients to handler.

The clients are made by botocore's session, as boto3's would, for boto3 itself is 11 ms of CPU at every cold start: it
imports what moves files to and from S3. docs/performance.md has this and the other measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session

from resolver.handler import Handler
from resolver.marketplace import MarketplaceMetering
from resolver.pages import Pages
from resolver.registration import Registrar
from resolver.store import DynamoDBStore

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.awsrequest import AWSResponse
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

    from resolver.settings import Settings

# Time limits of one call. All of a request's calls, with every retry, end inside the function's time: the arithmetic
# is a test. Marketplace gets the most, as it is another region for most sellers and its delay is the buyer's wait.
MARKETPLACE = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
STORE = Config(connect_timeout=0.5, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
SECURITY_TOKEN = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})


def compose(settings: Settings, *, models: Path) -> Handler:
    """Return the handler, with a client for each service.

    Args:
        settings: what this resolver is configured with.
        models: folder of the service models that the asset carries.
    """
    own = seller = _session(models)
    if settings.seller_role_arn:
        seller = _seller_session(own, models, settings.seller_role_arn, settings.seller_role_external_id)
    marketplace = cast(
        "MarketplaceMeteringClient",
        seller.create_client("meteringmarketplace", region_name=settings.marketplace_region, config=MARKETPLACE),
    )
    dynamodb = cast("DynamoDBClient", own.create_client("dynamodb", config=STORE))
    for client in (marketplace, dynamodb):
        client.meta.events.register("after-call", _refuse_what_is_cut_off)
    return Handler(
        registrar=Registrar(
            marketplace=MarketplaceMetering(marketplace),
            store=DynamoDBStore(
                dynamodb, registrations_table=settings.registrations_table, claims_table=settings.claims_table
            ),
            products=settings.products,
            claim_ttl=settings.claim_ttl,
        ),
        pages=Pages(support_url=settings.support_url, login_url=settings.login_url),
    )


def _refuse_what_is_cut_off(*, http_response: AWSResponse, **_: object) -> None:
    # botocore takes an answer that broke off for one without members: a claim that is there would seem to be gone.
    length = http_response.headers.get("Content-Length")
    if length is not None and int(length) != len(http_response.content):
        raise ResponseParserError("cut off")


def _session(models: Path) -> Session:
    """Return a session that knows the asset's service models and no others.

    The runtime's own are older: they drop LicenseArn and AgreementId from the answer without a word. And a loader that
    has one short folder to look through does not walk the SDK's 400 at every cold start.
    """
    session = Session()
    session.register_component(
        "data_loader", Loader(extra_search_paths=[str(models)], include_default_search_paths=False)
    )
    # What is the same for every call is done once: left to itself the SDK puts the User-Agent header together twice for
    # each, and checks against its model what the adapters always send in one shape. An eighth of a warm request's CPU.
    session.set_default_client_config(Config(user_agent=session.user_agent(), parameter_validation=False))
    return session


def _seller_session(own: Session, models: Path, role_arn: str, external_id: str | None) -> Session:
    """Return a session with credentials of the seller's role, fetched on first use and renewed before they end."""
    sts = cast("STSClient", own.create_client("sts", config=SECURITY_TOKEN))
    request: AssumeRoleRequestTypeDef = {"RoleArn": role_arn, "RoleSessionName": "marketplace-registration"}
    if external_id:
        request["ExternalId"] = external_id

    def assume_role() -> dict[str, str]:
        credentials = sts.assume_role(**request)["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }

    class SellerRole(CredentialProvider):
        METHOD = CANONICAL_NAME = "seller-role"

        def load(self) -> DeferredRefreshableCredentials:
            return DeferredRefreshableCredentials(refresh_using=assume_role, method=self.METHOD)

    session = _session(models)
    session.register_component("credential_provider", CredentialResolver([SellerRole()]))
    return session
