"""How long the window takes to be visible, from the start of the process.

    xvfb-run -a .venv/bin/python -m tests.bench.window

Prints the median and the worst of ten starts and their processor time, and the same of the floor: a
Python that imports QtWidgets and shows an empty window. Both in turn, since machines change. As for
a user, Python keeps what it has compiled. Then, three times: from a click on Generate, three
seconds after the window knew what the video would take, to its first second and its second one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

_RUNS = 10
_SAY = """
def first(window, event):
    paint(window, event)
    import time, psutil
    process = psutil.Process()
    spent = process.cpu_times()
    print(time.time() - process.create_time(), spent.user + spent.system, flush=True)
    os._exit(0)
"""
_FLOOR = f"""
import os
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
paint = QMainWindow.paintEvent
{_SAY}
class Window(QMainWindow):
    paintEvent = first
window = Window()
window.show()
app.exec()
"""
_WINDOW = f"""
import os
from magi_desktop import app
{_SAY}
def watched(window):
    global paint
    paint, type(window).paintEvent = type(window).paintEvent, first
    return make(window)
make, app.FirstPicture = app.FirstPicture, watched
app.main(["magi-desktop"])
"""

_SECOND = """
import os, time
from PySide6.QtCore import QTimer
from magi_desktop import app
class Picture(app.FirstPicture):
    def __init__(self, window):
        super().__init__(window)
        self.window, self.poll = window, QTimer(self, interval=10)
        self.poll.timeout.connect(self.look)
        self.seen.connect(self.poll.start)
    def look(self):
        if self.window.workshop.draft.plan is not None:
            self.poll.stop()
            self.window.prompt.field.insertPlainText("a red circle moves right")
            QTimer.singleShot(3000, self.generate)
    def generate(self):
        self.begin = time.perf_counter()
        self.window.workshop.job.frames_ready.connect(self.came)
        self.window.generate_bar.button.click()
    def came(self, first, frames):
        if first:
            print(self.first, time.perf_counter() - self.begin, flush=True)
            os._exit(0)
        self.first = time.perf_counter() - self.begin
app.FirstPicture = Picture
app.main(["magi-desktop"])
"""


def start(script: str) -> tuple[float, float]:
    """What a script prints: seconds to the first picture and those of the processor, say."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "MAGI_DESKTOP_HOME": home}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        out = subprocess.run(
            [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
        )
    passed, spent = map(float, out.stdout.split())
    return passed, spent


def main() -> int:
    """Measure and print; the first start of each, which fills caches, is left out."""
    scripts = {"floor: an empty Qt window": _FLOOR, "the window": _WINDOW}
    runs = [{name: start(script) for name, script in scripts.items()} for _ in range(_RUNS + 1)][1:]
    for name in scripts:
        passed, spent = zip(*(run[name] for run in runs), strict=True)
        print(
            f"{name}: median {statistics.median(passed):.2f} s, worst {max(passed):.2f} s; "
            f"processor time {statistics.median(spent):.2f} s"
        )
    for _ in range(3):
        first, second = start(_SECOND)
        print(f"from Generate to the first second: {first:.2f} s, the second one: {second:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
