"""The command line: ``python -m constructs_lib.verify``."""

import sys

from constructs_lib.verify._command_line import main

sys.exit(main(sys.argv[1:]))
