"""A saved query that finds lost buyers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_logs as logs
from constructs import Construct

from constructs_lib._types import CONSTRUCT_ID, SCOPE, Kind, check_types, implementation
from constructs_lib.registration._lost_buyers import LOST_BUYERS, save_query

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "log_group": implementation("a log group: registration.log_group", "log_group_name", logs.ILogGroup),
}


class LostBuyersQuery(Construct):
    """Saves the query for CloudWatch Logs Insights, under ``MarketplaceRegistration/<stack>/<path>``.

    It finds the buyers whose registration failed or was never claimed. ``MarketplaceSubscriptions`` saves the one that
    finds those who bought and never arrived.

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        log_group: the resolver's, ``registration.log_group``.

    Raises:
        ValueError: a parameter is of another type.
    """

    def __init__(self, scope: Construct, construct_id: str, *, log_group: logs.ILogGroup) -> None:
        check_types(_PARAMETERS, locals())
        super().__init__(scope, construct_id)
        save_query(self, LOST_BUYERS, log_group)
