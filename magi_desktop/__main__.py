"""``python -m magi_desktop`` opens the window."""

import sys

from magi_engine.runtime.process.launch import begin_process

if __name__ == "__main__":
    begin_process(sys.argv)  # before Qt: a frozen program is also its own engine
    from magi_desktop.app import main

    sys.exit(main(sys.argv))
