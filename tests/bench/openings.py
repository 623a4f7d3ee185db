"""How long the window stands still when something in it is done for the first time.

    xvfb-run -a -s "-screen 0 1440x900x24" .venv/bin/python -m tests.bench.openings [WHAT ...]

A fresh process for each: the program's window with 200 videos in its library, nine of them first
seconds. Once it is idle, one thing is done; printed is the longest turn of the event loop until
it is idle again, in processor time of its thread: the least and the most of three runs, in
milliseconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from magi_desktop import app
from magi_desktop.main_window import MainWindow
from magi_desktop.player.video_file import VideoFile
from magi_engine.runtime.request.request import Mode
from tests.desktop.state.videos import make_video
from tests.gap_meter import GapMeter

_VIDEOS, _FIRST_SECONDS = 200, 9
_RUNS = 3
_SETTLE_MS = 1500


def _wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _until(condition: Callable[[], object]) -> None:
    while not condition():
        _wait(20)


def _play(window: MainWindow) -> None:
    window.player.open_file(window.workshop.library.items[-1].path)


def _compare(window: MainWindow) -> None:
    other = window.workshop.library.items[-2]
    file = VideoFile(other.path, other.fps)
    window.player.comparison.set_video(file, other.frames, ("Take 1", "Take 2"))
    window.player.commands.compare.trigger()


def _details(window: MainWindow) -> None:
    item = window.workshop.library.items[-1]
    window.dialogs.details(item, item.request)


_OPEN: dict[str, Callable[[MainWindow], object]] = {
    "a letter of the prompt": lambda w: w.prompt.field.insertPlainText("a"),
    "generate": lambda w: w.generate_bar.button.click(),
    "advanced": lambda w: w.generation.advanced.button.click(),
    "expert": lambda w: w.generation.advanced_rows.expert.button.click(),
    "later prompts": lambda w: w.prompt.later.unfold(),
    "from an image": lambda w: w.start_from(Mode.I2V),
    "from a video": lambda w: w.start_from(Mode.V2V),
    "a video of one's own": lambda w: w.arrivals.open(w.workshop.library.items[-1].path),
    "audition": lambda w: w.dialogs.audition(),
    "play": _play,
    "compare": _compare,
    "full screen": lambda w: w.player.commands.full_screen.trigger(),
    "library": lambda w: w.show_side(w.library),
    "details": _details,
    "models": lambda w: w.dialogs.models(),
    "preferences": lambda w: w.dialogs.preferences(),
    "welcome": lambda w: w.dialogs.welcome(),
    "keys": lambda w: w.dialogs.shortcuts(w.menus),
    "guide": lambda w: w.dialogs.guide(),
    "speed": lambda w: w.dialogs.speed(),
    "places": lambda w: w.dialogs.places(),
    "about": lambda w: w.dialogs.about(),
}
_BEFORE = {"generate": "a letter of the prompt", "expert": "advanced", "compare": "play"}


def _measure(what: str) -> None:
    """Print the longest turn in this process, in milliseconds."""

    def opened(window: MainWindow) -> None:
        shop = window.workshop
        _until(lambda: shop.library.loaded and len(shop.library.items) >= _VIDEOS)
        _until(lambda: shop.draft.plan is not None)
        _wait(_SETTLE_MS)
        if what in _BEFORE:
            _OPEN[_BEFORE[what]](window)
            _wait(_SETTLE_MS)
        meter = GapMeter()
        meter.start()
        _wait(100)
        meter.gaps.clear()
        _OPEN[what](window)
        _wait(_SETTLE_MS)
        print(max(meter.gaps) * 1000, flush=True)
        os._exit(0)

    class Picture(app.FirstPicture):
        def __init__(self, window: MainWindow) -> None:
            super().__init__(window)
            self.seen.connect(lambda: QTimer.singleShot(0, lambda: opened(window)))

    app.FirstPicture = Picture
    app.main(["magi-desktop"])


def _furnish(home: Path) -> None:
    videos = home / "videos"
    videos.mkdir(parents=True)
    for number in range(_VIDEOS):
        first_second = {"num_frames": 96, "only_chunks": 1} if number < _FIRST_SECONDS else {}
        make_video(videos / f"{number}.mp4", f"a red circle, number {number}", **first_second)
    (home / "config").mkdir()
    (home / "config" / "settings.json").write_text(
        '{"version": 1, "preferences": {"welcomed": true}}'
    )


def main(words: list[str]) -> int:
    """Measure what is named, or everything, and print a Markdown table."""
    if words[:1] == ["--here"]:
        _measure(words[1])
    with tempfile.TemporaryDirectory() as folder:
        furnished = Path(folder) / "furnished"
        _furnish(furnished)
        for what in words or _OPEN:
            turns = []
            for run in range(_RUNS):
                home = Path(folder) / f"{what} {run}"
                shutil.copytree(furnished, home)
                command = [sys.executable, "-m", "tests.bench.openings", "--here", what]
                environment = {**os.environ, "MAGI_DESKTOP_HOME": str(home)}
                environment.pop("PYTHONDONTWRITEBYTECODE", None)
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
                turns.append(float(done.stdout))
            print(f"| {what} | {min(turns):.0f} | {max(turns):.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
