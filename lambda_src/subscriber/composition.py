"""The subscriber put together: from settings to clients to handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdk import time_limits
from sdk.deadline import Deadline
from sdk.session import create_client, own_session, seller_session
from subscriber.handler import Handler
from subscriptions.entitlements import MarketplaceEntitlements
from subscriptions.product_codes import DynamoDBProductCodes
from subscriptions.rules import Subscriptions
from subscriptions.store import DynamoDBStore

if TYPE_CHECKING:
    from pathlib import Path

    from subscriber.settings import Settings


def compose(settings: Settings, *, models: Path, deadline: Deadline | None = None) -> Handler:
    """Return the handler, with a client for each service.

    Args:
        settings: the subscriber's configuration.
        models: folder of the service models that the asset carries.
        deadline: bounds the calls of each batch; by default nothing but their own time limits does.
    """
    deadline = deadline or Deadline()
    own = own_session(models)
    seller = seller_session(
        own, models, role_arn=settings.seller_role_arn, external_id=settings.seller_role_external_id
    )
    entitlements = create_client(
        seller, "marketplace-entitlement", region_name=settings.entitlements_region, config=time_limits.MARKETPLACE
    )
    dynamodb = create_client(own, "dynamodb", config=time_limits.DYNAMODB)
    table = settings.reconciliation_table
    return Handler(
        subscriptions=Subscriptions(
            store=DynamoDBStore(dynamodb, table=settings.registrations_table, deadline=deadline),
            entitlements=MarketplaceEntitlements(entitlements, deadline),
            products=settings.products,
            product_codes=DynamoDBProductCodes(dynamodb, table=table, deadline=deadline) if table else None,
        )
    )
