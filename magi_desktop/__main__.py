"""``python -m magi_desktop`` opens the window."""

import sys

from magi_engine.runtime.launch import serve_if_child

if __name__ == "__main__":
    serve_if_child(sys.argv)  # a frozen program is also its own engine
    from magi_desktop.app import main

    sys.exit(main(sys.argv))
