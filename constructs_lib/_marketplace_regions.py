"""The regions with ResolveCustomer, for the constructs and for the test kit, which runs without the CDK."""

MARKETPLACE_REGIONS = frozenset(
    """
    us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1
    eu-south-2 eu-west-1 eu-west-2 eu-west-3 af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3
    ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 il-central-1 me-central-1
    me-south-1 cn-northwest-1 eusc-de-east-1
    """.split()  # noqa: SIM905 - a list would be a line for each
)
