"""What a frozen program runs: the command line where it is called ``magi``, else the window."""

import sys
from pathlib import Path

from magi_engine.runtime.process.launch import begin_process

if __name__ == "__main__":
    if Path(sys.executable).name in ("magi", "magi.com"):
        from magi_engine.__main__ import run as run_command

        run_command()
    begin_process(sys.argv)  # it is also its own engine and helper process
    from magi_desktop.app import run

    run()
