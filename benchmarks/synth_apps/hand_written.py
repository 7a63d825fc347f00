"""One registration written by hand, and subscriptions if the folders of their functions are given.

``python -m benchmarks.synth_apps.hand_written RESOLVER_FOLDER [SUBSCRIBER_FOLDER PUBLISHER_FOLDER RECONCILER_FOLDER]``.
"""

import sys

from aws_cdk import App, Stack

from benchmarks.hand_written import registration, subscriptions

app = App()
stack = Stack(app, "Seller")
resolver_asset, *assets = sys.argv[1:]
registered = registration(stack, asset=resolver_asset)
if assets:
    subscriber_asset, publisher_asset, reconciler_asset = assets
    subscriptions(
        stack,
        registered,
        subscriber_asset=subscriber_asset,
        publisher_asset=publisher_asset,
        reconciler_asset=reconciler_asset,
    )
app.synth()
