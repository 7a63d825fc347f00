"""What the subscriber, the publisher and the reconciler are made of; no CDK, as tests and benchmarks use it too."""

from constructs_lib.functions._asset import FunctionAsset

SUBSCRIBER = FunctionAsset(
    package="subscriber",
    operations={
        "dynamodb": frozenset({"UpdateItem"}),
        "marketplace-entitlement": frozenset({"GetEntitlements"}),
        "sts": frozenset({"AssumeRole"}),
    },
)

PUBLISHER = FunctionAsset(
    package="publisher",
    operations={
        "dynamodb": frozenset({"Query"}),
        "events": frozenset({"PutEvents"}),
    },
)

RECONCILER = FunctionAsset(
    package="reconciler",
    operations={
        "dynamodb": frozenset({"Query", "Scan", "UpdateItem"}),
        "marketplace-agreement": frozenset({"GetAgreementEntitlements", "SearchAgreements"}),
        "marketplace-entitlement": frozenset({"GetEntitlements"}),
        "sts": frozenset({"AssumeRole"}),
    },
)

TIMEOUT_SECONDS = 60
"""A batch's usual calls take a second; what a slow service leaves undone is delivered again."""

RECONCILER_TIMEOUT_SECONDS = 900
"""The longest that Lambda has: the Agreement API allows a few calls per second. The next run does what is left."""

MEMORY_MIB = 512
"""Less than a third of a CPU: no buyer waits for these functions, and they wait for AWS."""
