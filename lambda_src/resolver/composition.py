"""The resolver put together: from settings to clients to handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolver.handler import Handler
from resolver.marketplace import MarketplaceMetering
from resolver.pages import Pages
from resolver.registration import Registrar
from resolver.store import DynamoDBStore
from sdk import time_limits
from sdk.deadline import Deadline
from sdk.session import create_client, own_session, seller_session

if TYPE_CHECKING:
    from pathlib import Path

    from resolver.settings import Settings


def compose(settings: Settings, *, models: Path, deadline: Deadline | None = None) -> Handler:
    """Return the handler, with a client for each service.

    Args:
        settings: the resolver's configuration.
        models: folder of the service models that the asset carries.
        deadline: bounds the calls of each request; by default nothing but their own time limits does.
    """
    deadline = deadline or Deadline()
    own = own_session(models)
    seller = seller_session(
        own, models, role_arn=settings.seller_role_arn, external_id=settings.seller_role_external_id
    )
    marketplace = create_client(
        seller, "meteringmarketplace", region_name=settings.marketplace_region, config=time_limits.MARKETPLACE
    )
    dynamodb = create_client(own, "dynamodb", config=time_limits.DYNAMODB)
    return Handler(
        registrar=Registrar(
            marketplace=MarketplaceMetering(marketplace, deadline),
            store=DynamoDBStore(
                dynamodb,
                registrations_table=settings.registrations_table,
                claims_table=settings.claims_table,
                deadline=deadline,
                subscriptions=settings.subscriptions,
            ),
            products=settings.products,
            claim_ttl=settings.claim_ttl,
        ),
        pages=Pages(support_url=settings.support_url, login_url=settings.login_url),
    )
