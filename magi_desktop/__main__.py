"""``python -m magi_desktop`` opens the window."""

import multiprocessing
import sys

if __name__ == "__main__":
    multiprocessing.freeze_support()
    from magi_desktop.app import main

    sys.exit(main(sys.argv))
