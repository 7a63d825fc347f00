"""What the resolver is made of; no CDK, as the function's tests and benchmarks use it too."""

from constructs_lib.functions._asset import FunctionAsset

RESOLVER = FunctionAsset(
    package="resolver",
    operations={
        # Query where subscriptions are used.
        "dynamodb": frozenset({"GetItem", "PutItem", "Query", "UpdateItem"}),
        "meteringmarketplace": frozenset({"ResolveCustomer"}),
        "sts": frozenset({"AssumeRole"}),
    },
)

TIMEOUT_SECONDS = 29
"""Within the 30 seconds that an HTTP API waits; a request's calls, retries included, all end before."""

MEMORY_MIB = 1769
"""Lambda gives CPU by memory: this is one whole CPU, and Python uses no second one.

Most registrations are cold starts, nearly all CPU apart from the wait for Marketplace; at a few registrations a day
the price does not show. docs/performance.md has both.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""
