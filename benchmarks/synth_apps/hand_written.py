"""One registration written by hand. ``python -m benchmarks.synth_apps.hand_written ASSET_FOLDER``."""

import sys

from aws_cdk import App, Stack

from benchmarks.hand_written import registration

app = App()
registration(Stack(app, "Seller"), asset=sys.argv[1])
app.synth()
