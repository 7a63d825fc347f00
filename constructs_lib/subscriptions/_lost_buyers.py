"""The query that finds the buyers who bought and never arrived."""

from collections.abc import Sequence

LOST_BUYERS: Sequence[str] = (
    "fields CustomerAWSAccountId as account, ProductCode as product, LicenseArn as license",
    'filter outcome = "buyer_lost"',
    # One line for each license: every run of a day reports it again, and an amendment gives it another agreement.
    (
        "stats latest(AgreementId) as agreement, min(@timestamp) as first_seen, max(@timestamp) as last_seen "
        "by account, product, license"
    ),
    "sort last_seen desc",
    "display account, agreement, product, license, first_seen, last_seen",
)
"""The query's commands, for the reconciler's log."""
