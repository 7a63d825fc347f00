"""The query that finds lost buyers."""

from collections.abc import Sequence

# Identify a buyer by account if Marketplace returned one, otherwise by request. By purchase too: a buyer who has
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
