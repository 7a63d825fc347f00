"""What the subscriber and the publisher are made of; no CDK, as the functions' tests and benchmarks use it too."""

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

TIMEOUT_SECONDS = 60
"""A batch's usual calls take a second; what a slow service leaves undone is delivered again."""

MEMORY_MIB = 512
"""Less than a third of a CPU: no buyer waits for these functions, and they wait for AWS."""
