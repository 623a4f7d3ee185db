"""``python -m magi_engine ...`` is the same as ``magi ...``."""

import gc
import signal
import sys


def run() -> None:
    """The program's entry point."""
    # Ctrl-C while the program comes in, and after its end, is no reason for a traceback.
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from magi_engine.runtime.process.launch import begin_process

    begin_process(sys.argv)  # a frozen program is also its own helper process
    from magi_engine.cli.main import main

    try:
        code = main()
    except KeyboardInterrupt:  # when there was nothing left to stop
        code = 130
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.freeze()  # all goes with the process; to look for what nothing refers to takes seconds
    sys.exit(code)


if __name__ == "__main__":
    run()
