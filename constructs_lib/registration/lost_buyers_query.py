"""A saved query that finds lost buyers."""

from __future__ import annotations

from aws_cdk import Aws, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from constructs_lib.registration._lost_buyers import LOST_BUYERS


class LostBuyersQuery(Construct):
    """Saves the query for CloudWatch Logs Insights, under ``MarketplaceRegistration/<stack>/<path>``.

    Args:
        scope: the stack, or any construct in it.
        construct_id: unique in ``scope``.
        log_group: the resolver's, ``registration.log_group``.
    """

    def __init__(self, scope: Construct, construct_id: str, *, log_group: logs.ILogGroup) -> None:
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
