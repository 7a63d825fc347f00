"""SDK sessions that know the asset's service models.

The clients are made by botocore's session, as boto3's would be: boto3 itself takes 11 ms of CPU at every cold start,
because it imports what moves files to and from S3. docs/performance.md has this and the other measurements.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore import useragent
from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import CredentialRetrievalError
from botocore.loaders import Loader
from botocore.session import Session

from sdk.responses import reject_unusable
from sdk.time_limits import STS

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef


class _AssetLoader(Loader):
    """Looks into one folder only."""

    def is_builtin_path(self, path: str) -> bool:  # noqa: ARG002 - the overridden method's own
        """Let the SDK take the asset's endpoints for its own, not for an override of the rules that it resolves by.

        As an override they would turn off dual-stack, FIPS and account-based endpoints.
        """
        return True


def own_session(models: Path) -> Session:
    """Return a session with the function's credentials that knows the asset's service models and no others.

    The runtime's own models are older: they silently drop LicenseArn and AgreementId from the response. And a loader
    with one small folder to search does not walk the SDK's 400 at every cold start.

    Args:
        models: folder of the service models that the asset carries.
    """
    session = Session()
    session.register_component(
        "data_loader", _AssetLoader(extra_search_paths=[str(models)], include_default_search_paths=False)
    )
    # Work that is the same for every call is done once: by default the SDK builds the User-Agent header twice for each
    # call, and validates against its model parameters that the adapters always send in one shape. An eighth of a warm
    # request's CPU.
    session.set_default_client_config(Config(user_agent=_user_agent(session), parameter_validation=False))
    return session


def _user_agent(session: Session) -> str:
    """Return the User-Agent with the application ID that is set as ``AWS_SDK_UA_APP_ID``.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
    """
    app_id = session.get_config_variable("user_agent_appid")
    if not app_id:
        return session.user_agent()
    sanitized = useragent.sanitize_user_agent_string_component(app_id, allow_hash=True)
    return f"{session.user_agent()} app/{sanitized}"


def seller_session(own: Session, models: Path, *, role_arn: str | None, external_id: str | None) -> Session:
    """Return a session with credentials of the seller's role, fetched on first use and renewed before they expire.

    Args:
        own: the session whose credentials may assume the role; it is returned itself if there is none.
        models: folder of the service models that the asset carries.
        role_arn: the role, or None.
        external_id: the external ID that the role requires, or None.
    """
    if not role_arn:
        return own
    sts = cast("STSClient", create_client(own, "sts", config=STS))
    request: AssumeRoleRequestTypeDef = {"RoleArn": role_arn, "RoleSessionName": "marketplace-registration"}
    if external_id:
        request["ExternalId"] = external_id

    def assume_role() -> dict[str, str]:
        credentials = sts.assume_role(**request)["Credentials"]
        if credentials["Expiration"] <= datetime.now(UTC):
            # botocore would raise a bare RuntimeError: this clock or that of STS is wrong.
            raise CredentialRetrievalError(provider=SellerRole.METHOD, error_msg="the credentials have expired")
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

    session = own_session(models)
    session.register_component("credential_provider", CredentialResolver([SellerRole()]))
    return session


def create_client(session: Session, service: str, **options: Any) -> Any:
    """Return a client that rejects unusable responses."""
    client = session.create_client(service, **options)
    reject_unusable(client)
    return client
