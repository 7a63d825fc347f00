"""The query that finds lost buyers."""

from collections.abc import Sequence

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
