"""The publisher put together: from settings to clients to handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from publisher.delivery import Delivery
from publisher.event_bus import EventBridge
from publisher.handler import Handler
from publisher.publications import Publications
from publisher.store import DynamoDBPartitions
from sdk import time_limits
from sdk.deadline import Deadline
from sdk.session import create_client, own_session

if TYPE_CHECKING:
    from pathlib import Path

    from publisher.settings import Settings


def compose(settings: Settings, *, models: Path, deadline: Deadline | None = None) -> Handler:
    """Return the handler, with a client for each service.

    Args:
        settings: the publisher's configuration.
        models: folder of the service models that the asset carries.
        deadline: bounds the calls of each batch; by default nothing but their own time limits does.
    """
    deadline = deadline or Deadline()
    own = own_session(models)
    dynamodb = create_client(own, "dynamodb", config=time_limits.DYNAMODB)
    event_bus = EventBridge(
        create_client(own, "events", config=time_limits.EVENTS), event_bus=settings.event_bus, deadline=deadline
    )
    return Handler(
        publications=Publications(DynamoDBPartitions(dynamodb, table=settings.registrations_table, deadline=deadline)),
        delivery=lambda: Delivery(event_bus),
    )
