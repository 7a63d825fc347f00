"""A saved query that finds lost buyers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from constructs_lib._types import CONSTRUCT_ID, SCOPE, Kind, check_types, implementation
from constructs_lib.registration._lost_buyers import LOST_BUYERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETERS: Mapping[str, Kind] = {
    "scope": SCOPE,
    "construct_id": CONSTRUCT_ID,
    "log_group": implementation("a log group: registration.log_group", "log_group_name", logs.ILogGroup),
}


class LostBuyersQuery(Construct):
    """Saves the query for CloudWatch Logs Insights, under ``MarketplaceRegistration/<stack>/<path>``.

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
        path = self.node.path.removeprefix(f"{Stack.of(self).node.path}/")
        logs.CfnQueryDefinition(
            self,
            "Query",
            # Unlike every other resource here, a query definition needs a name; slashes become folders in the console.
            name=f"MarketplaceRegistration/{Aws.STACK_NAME}/{path}",
            # The CDK's own QueryString has one place for filters, before stats.
            query_string="\n| ".join(LOST_BUYERS),
            log_group_names=[log_group.log_group_name],
        )
