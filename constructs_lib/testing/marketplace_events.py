"""The kinds of AWS Marketplace's events."""

from typing import Literal

MarketplaceEventType = Literal[
    "Purchase Agreement Created - Proposer",
    "Purchase Agreement Created - Manufacturer",
    "Purchase Agreement Amended - Proposer",
    "Purchase Agreement Amended - Manufacturer",
    "Purchase Agreement Ended - Proposer",
    "Purchase Agreement Ended - Manufacturer",
    "License Updated - Manufacturer",
    "License Deprovisioned - Manufacturer",
    "Purchase Agreement Advisory Issued - Manufacturer",
    "Purchase Agreement Advisory Resolved - Manufacturer",
    "Purchase Agreement Ending - Proposer",
    "Purchase Agreement Renewal Terms Finalized - Proposer",
    "Purchase Agreement Renewal Upcoming - Proposer",
    "Agreement Cancellation Request Pending Approval - Proposer",
    "Agreement Cancellation Request Approved - Proposer",
    "Agreement Cancellation Request Rejected - Proposer",
    "Agreement Cancellation Request Cancelled - Proposer",
    "Agreement Cancellation Request Validation Failed - Proposer",
    "Purchase Agreement Billing Adjustment Completed - Proposer",
    "Purchase Agreement Billing Adjustment Failed - Proposer",
    "Spend Threshold Reached",
    "Spend Threshold Vet Succeeded",
    "Spend Threshold Vet Failed",
]
