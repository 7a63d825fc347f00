"""The query that finds lost buyers, and how such a query is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Stack
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

# Identify a buyer by account if Marketplace returned one, otherwise by request. By purchase too: a buyer who has
# registered one product and failed with another is lost for that one.
LOST_BUYERS: Sequence[str] = (
    "fields coalesce(CustomerAWSAccountId, api_request_id) as buyer",
    "fields coalesce(LicenseArn, ProductCode, api_request_id) as purchase",
    # 1 or 0, to be added up. No other outcome contains the word.
    'fields strcontains(outcome, "claimed") as claim, strcontains(message, "register") as attempt',
    'filter message = "POST /register" or outcome = "claimed"',
    (
        "stats max(@timestamp) as last_seen, latest(outcome) as last_outcome, latest(ProductCode) as product, "
        "latest(api_request_id) as last_request, sum(attempt) as attempts, sum(claim) as claims by buyer, purchase"
    ),
    # Whose last attempt failed, or who registered and was never claimed.
    'filter last_outcome not in ["registered", "registered_again", "claimed"] or claims = 0',
    "sort last_seen desc",
    "display buyer, product, last_outcome, last_seen, attempts, last_request",
)
"""The query's commands, for the resolver's log."""


def save_query(scope: Construct, commands: Sequence[str], log_group: logs.ILogGroup) -> None:
    """Save a query for CloudWatch Logs Insights, under ``MarketplaceRegistration/<stack>/<path of scope>``."""
    path = scope.node.path.removeprefix(f"{Stack.of(scope).node.path}/")
    logs.CfnQueryDefinition(
        scope,
        "Query",
        # Unlike every other resource here, a query definition needs a name; slashes become folders in the console.
        name=f"MarketplaceRegistration/{Aws.STACK_NAME}/{path}",
        # The CDK's own QueryString has one place for filters, before stats.
        query_string="\n| ".join(commands),
        log_group_names=[log_group.log_group_name],
    )
