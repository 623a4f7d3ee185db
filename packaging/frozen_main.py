"""What a frozen program runs: the command line where it is called ``magi``, else the window."""

import sys
from pathlib import Path

from magi_engine.runtime.process.launch import begin_process

if __name__ == "__main__":
    begin_process(sys.argv)  # it is also its own engine and helper process
    if Path(sys.executable).name in ("magi", "magi.com"):
        from magi_engine.cli.main import main

        sys.exit(main())
    from magi_desktop.app import run

    run()
