"""``python -m magi_engine ...`` is the same as ``magi ...``."""

import sys

from magi_engine.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
