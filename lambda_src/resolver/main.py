"""What Lambda calls. Clients are made while the environment starts, when it has the most CPU."""

import logging
import os
from pathlib import Path

from resolver.composition import compose
from resolver.settings import Settings

# botocore's debug log prints request bodies, with the token in them. Below this line no logger of this process can,
# whatever level it, or the function's logging configuration, is set to.
logging.disable(logging.DEBUG)

handler = compose(Settings.from_environment(os.environ), models=Path(__file__).parent.parent / "models")
