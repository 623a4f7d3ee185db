"""``python -m magi_engine ...`` is the same as ``magi ...``."""

import sys

from magi_engine.runtime.process.launch import begin_process

if __name__ == "__main__":
    begin_process(sys.argv)  # a frozen program is also its own helper process
    from magi_engine.cli.main import main

    sys.exit(main())
