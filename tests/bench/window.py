"""How long the window takes to be visible, from the start of the process.

    xvfb-run -a .venv/bin/python -m tests.bench.window

Prints the median and the worst of ten starts, and the floor: a Python that imports QtWidgets and
shows an empty window.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

_RUNS = 10
_FLOOR = """
import time, psutil
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow()
window.show()
def shown():
    print(time.time() - psutil.Process().create_time(), flush=True)
    app.quit()
QTimer.singleShot(0, shown)
app.exec()
"""
_WINDOW = """
import os, time, psutil
from magi_desktop import main_window
from magi_desktop.app import main
paint = main_window.MainWindow.paintEvent
def first(window, event):
    paint(window, event)
    print(time.time() - psutil.Process().create_time(), flush=True)
    os._exit(0)
main_window.MainWindow.paintEvent = first
main(["magi-desktop"])
"""


def seconds(script: str) -> list[float]:
    """Time to the first picture of each run; the first run, which fills caches, is left out."""
    times = []
    for _ in range(_RUNS + 1):
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "MAGI_DESKTOP_HOME": home}
            out = subprocess.run(
                [sys.executable, "-c", script], env=environment, capture_output=True, text=True
            )
        times.append(float(out.stdout.split()[-1]))
    return times[1:]


def main() -> int:
    """Measure and print."""
    for name, script in (("floor: an empty Qt window", _FLOOR), ("the window", _WINDOW)):
        times = seconds(script)
        print(f"{name}: median {statistics.median(times):.2f} s, worst {max(times):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
