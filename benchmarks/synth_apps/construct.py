"""INSTANCES times ``MarketplaceRegistration``. ``python -m benchmarks.synth_apps.construct INSTANCES``."""

import sys

from aws_cdk import App, Stack

from constructs_lib import MarketplaceRegistration

# A stack can have 500 resources: ten registrations would fit and leave a seller no room for anything more. Five are
# half of that, and 5, 20 and 50 fill whole stacks.
PER_STACK = 5

app = App()
for first in range(0, int(sys.argv[1]), PER_STACK):
    stack = Stack(app, f"Seller{first}")
    for number in range(first, min(first + PER_STACK, int(sys.argv[1]))):
        MarketplaceRegistration(
            stack,
            f"Registration{number}",
            products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"},
        )
app.synth()
