"""A saved query: who was turned away and did not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

# A buyer is the account, where Marketplace named it, and else no more than one request. By purchase too: who has
# registered one product and failed with another is lost for that one.
LOST_BUYERS: Sequence[str] = (
    "fields coalesce(CustomerAWSAccountId, api_request_id) as buyer",
    "fields coalesce(LicenseArn, ProductCode, api_request_id) as purchase",
    'filter message = "POST /register"',
    (
        "stats max(@timestamp) as last_seen, latest(outcome) as last_outcome, latest(ProductCode) as product, "
        "latest(api_request_id) as last_request, count(*) as attempts by buyer, purchase"
    ),
    'filter last_outcome not in ["registered", "registered_again"]',
    "sort last_seen desc",
    "display buyer, product, last_outcome, last_seen, attempts, last_request",
)
"""The query's commands, for the resolver's log."""


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
            # A query must have a name, alone of all that is made here; slashes are folders in the console.
            name=f"MarketplaceRegistration/{Aws.STACK_NAME}/{path}",
            # CDK's own QueryString has one place for filters, before stats.
            query_string="\n| ".join(LOST_BUYERS),
            log_group_names=[log_group.log_group_name],
        )
