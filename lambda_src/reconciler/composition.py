"""The reconciler put together: from settings to clients to handler."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.agreements import MarketplaceAgreements
from reconciler.handler import Handler
from reconciler.pace import Pace
from reconciler.reconciliation import Reconciliation
from reconciler.store import DynamoDBRecords, DynamoDBTable
from sdk import time_limits
from sdk.deadline import Deadline
from sdk.session import create_client, own_session, seller_session
from subscriptions.entitlements import MarketplaceEntitlements
from subscriptions.product_codes import DynamoDBProductCodes
from subscriptions.rules import Subscriptions
from subscriptions.store import DynamoDBStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.settings import Settings


def compose(
    settings: Settings,
    *,
    models: Path,
    deadline: Deadline | None = None,
    pace: Pace | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Handler:
    """Return the handler, with a client for each service.

    Args:
        settings: the reconciler's configuration.
        models: folder of the service models that the asset carries.
        deadline: bounds the calls of each invocation; by default nothing but their own time limits does.
        pace: of the calls to Marketplace; by default below the limits of AWS.
        now: the time.
    """
    deadline, pace = deadline or Deadline(), pace or Pace()
    own = own_session(models)
    seller = seller_session(
        own, models, role_arn=settings.seller_role_arn, external_id=settings.seller_role_external_id
    )
    agreements = create_client(
        seller, "marketplace-agreement", region_name=settings.agreements_region, config=time_limits.MARKETPLACE
    )
    entitlements = MarketplaceEntitlements(
        create_client(
            seller, "marketplace-entitlement", region_name=settings.entitlements_region, config=time_limits.MARKETPLACE
        ),
        deadline,
        pace=pace.call,
    )
    dynamodb = create_client(own, "dynamodb", config=time_limits.DYNAMODB)
    product_codes = DynamoDBProductCodes(dynamodb, table=settings.reconciliation_table, deadline=deadline)
    return Handler(
        reconciliation=Reconciliation(
            agreements=MarketplaceAgreements(agreements, pace, deadline),
            entitlements=entitlements,
            table=DynamoDBTable(dynamodb, table=settings.registrations_table, deadline=deadline),
            records=DynamoDBRecords(dynamodb, table=settings.reconciliation_table, deadline=deadline),
            subscriptions=Subscriptions(
                store=DynamoDBStore(dynamodb, table=settings.registrations_table, deadline=deadline),
                entitlements=entitlements,
                products=settings.products,
                product_codes=product_codes,
            ),
            product_codes=product_codes,
            products=settings.products,
            lost_buyer_delay=settings.lost_buyer_delay,
            pace=pace,
            now=now,
        ),
        seller=settings.seller_account,
        now=now,
    )
