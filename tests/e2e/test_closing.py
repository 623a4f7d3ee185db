"""Closing, restarting, dying: nothing is lost and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt, QThreadPool
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from magi_desktop.exporting import ExportJob
from magi_desktop.state.jobs import Phase
from magi_engine.media.info import probe
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.request.request import Mode
from tests.desktop.media_files import video_file
from tests.e2e.conftest import ENDLESS, App, until


def _button(box: QMessageBox, text: str) -> QPushButton:
    return next(b for b in box.findChildren(QPushButton) if b.text() == text)


def test_closing_while_generating_asks_and_leaves_a_playable_file(
    tmp_path: Path, qtbot: QtBot
) -> None:
    app = App(tmp_path / "home", qtbot)
    app.short(chunks=ENDLESS)
    app.generate()
    qtbot.waitUntil(lambda: app.job.frames_done >= 24)
    app.window.restart()
    box = next(b for b in app.window.findChildren(QMessageBox) if b.isVisible())
    qtbot.mouseClick(_button(box, "Keep making it"), Qt.MouseButton.LeftButton)
    assert app.job.phase.active
    assert not app.window.restart_wanted, "a later close is only a close"
    assert not app.window.close()
    box = next(b for b in app.window.findChildren(QMessageBox) if b.isVisible())
    with qtbot.waitSignal(app.window.closed):
        qtbot.mouseClick(_button(box, "Stop and quit"), Qt.MouseButton.LeftButton)
    app.close()
    (video,) = app.videos()
    assert probe(video).frame_count is not None


@pytest.mark.usefixtures("lent")
def test_closing_while_exporting_asks_and_leaves_nothing_of_it(
    tmp_path: Path, qtbot: QtBot
) -> None:
    app = App(tmp_path / "home", qtbot)
    source = video_file(tmp_path / "long.mp4", seconds=60)  # not exported before it is stopped
    app.window.exports.start([ExportJob(source, tmp_path / "a.webm")])
    app.window.exports.start([ExportJob(source, tmp_path / "b.webm")])
    assert not app.window.close()
    box = next(b for b in app.window.findChildren(QMessageBox) if b.isVisible())
    assert "exported" in box.text()
    qtbot.mouseClick(_button(box, "Keep exporting"), Qt.MouseButton.LeftButton)
    assert app.window.exports.busy
    assert not app.window.close()
    box = next(b for b in app.window.findChildren(QMessageBox) if b.isVisible())
    with qtbot.waitSignal(app.window.closed):
        qtbot.mouseClick(_button(box, "Stop and quit"), Qt.MouseButton.LeftButton)
    app.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "long.mp4"]


@pytest.mark.usefixtures("lent")
def test_settings_prompts_and_window_survive_a_restart(tmp_path: Path, qtbot: QtBot) -> None:
    app = App(tmp_path / "home", qtbot)
    app.workshop.draft.set_mode(Mode.I2V)
    app.workshop.draft.set_prompt("it spins")
    app.workshop.draft.set(width=256, seconds=2.0)
    app.workshop.preferences.set("live_preview", False)
    app.window.resize(1100, 700)
    qtbot.waitUntil(lambda: app.window.width() == 1100)
    app.close()
    again = App(tmp_path / "home", qtbot)
    try:
        assert again.workshop.draft.mode is Mode.I2V
        assert again.workshop.draft.prompt == "it spins"
        assert again.workshop.draft.settings.width == 256
        assert again.workshop.preferences.get("live_preview") is False
        qtbot.waitUntil(lambda: (again.window.width(), again.window.height()) == (1100, 700))
    finally:
        again.close()


_DRIVER = """
import sys
from magi_desktop import main_window
from magi_desktop.app import main

made = main_window.MainWindow.__init__

def started(window, workshop):
    made(window, workshop)
    def go():
        workshop.draft.set_prompt("a red circle moves right")
        workshop.draft.set(num_steps=4, seconds=30.0, seed=3, seed_locked=True)
        window.making.generate(3)
    workshop.queue.loaded.connect(go)

main_window.MainWindow.__init__ = started
sys.exit(main(["magi-desktop"]))
"""


@pytest.mark.usefixtures("lent")
def test_the_queue_and_the_video_survive_kill_minus_nine(
    tmp_path: Path, qtbot: QtBot, own_places: Path
) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "MAGI_DESKTOP_HOME": str(home)}
    process = subprocess.Popen([sys.executable, "-c", _DRIVER], env=environment)
    try:
        unfinished = home / "videos"
        until(
            lambda: (
                unfinished.is_dir()
                and any(p.stat().st_size > 8_000 for p in unfinished.iterdir())
                and any(own_places.glob("**/takes/*/000001.safetensors"))
            ),
        )
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(children, timeout=300)
        assert not any(c.is_running() for c in children), "the engine outlived the window"
    finally:
        process.kill()
        process.wait()
    app = App(home, qtbot)
    try:
        qtbot.waitUntil(lambda: len(app.workshop.queue.items) == 3)
        assert app.workshop.queue.items[0].interrupted
        assert app.workshop.queue.paused, "the interrupted video does not begin unasked"
        qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
        recovered = app.workshop.library.items[0].path
        assert (probe(recovered).frame_count or 0) >= 24
        app.workshop.queue.set_paused(False)
        qtbot.waitUntil(lambda: app.job.frames_done > 0)
        assert app.job.request is not None
        assert app.job.request.start is not None, "it goes on where it was interrupted"
        assert app.job.request.start.chunk >= 2
        assert app.job.frames_done >= 48
    finally:
        app.close()


_STUCK = """
import os, signal, sys
import psutil
import pytest
from magi_desktop import main_window
from magi_desktop.app import main
from magi_engine.runtime.engine_process import EngineProcess

main_window._CLOSE_PATIENCE_MS = 300
EngineProcess.end_s = 0.5
made = main_window.MainWindow.__init__

def started(window, workshop):
    made(window, workshop)
    def go():
        workshop.draft.set_prompt("a red circle moves right")
        workshop.draft.set(num_steps=4, seconds=30.0, seed=3, seed_locked=True)
        window.making.generate(1)
    def stick(first_frame, _frames):
        if first_frame < 48:
            return
        workshop.job.frames_ready.disconnect(stick)
        for child in psutil.Process().children():
            os.kill(child.pid, signal.SIGSTOP)
        window._stop_and_quit(False)
    workshop.job.frames_ready.connect(stick)
    workshop.queue.loaded.connect(go)

main_window.MainWindow.__init__ = started
sys.exit(main(["magi-desktop"]))
"""


@pytest.mark.usefixtures("lent")
def test_an_engine_that_stands_still_does_not_keep_the_program_from_ending(
    tmp_path: Path, qtbot: QtBot
) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "MAGI_DESKTOP_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", _STUCK], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "QThread" not in done.stderr
    (video,) = [path for path in (home / "videos").iterdir() if not path.name.startswith(".")]
    assert (probe(video).frame_count or 0) >= 24
    app = App(home, qtbot)
    try:
        qtbot.waitUntil(lambda: [i.path for i in app.workshop.library.items] == [video])
    finally:
        app.close()


def test_twenty_videos_leave_nothing_behind(app: App) -> None:
    process = psutil.Process()

    def engine() -> psutil.Process:
        return next(c for c in process.children() if "python" in c.name())

    def one() -> None:
        app.workshop.draft.set_prompt("a red circle")  # one that is empty is asked about
        app.workshop.draft.set(width=64, height=64, num_steps=4, seconds=0.25)
        app.generate()
        app.wait_idle()
        assert app.job.phase is Phase.FINISHED, app.job.error

    def rest(app: App) -> None:
        """Until all that the last video has set off in the background is done."""
        made = len(app.videos())
        app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == made)
        pool = QThreadPool.globalInstance()
        app.qtbot.waitUntil(lambda: pool.activeThreadCount() == 0)

    for _ in range(4):  # first-time costs: libraries, caches, the allocator
        one()
    rest(app)
    files, threads = process.num_fds(), threading.active_count()
    memory = (process.memory_info().rss, engine().memory_info().rss)
    for _ in range(20):
        one()
    rest(app)
    app.qtbot.waitUntil(lambda: process.num_fds() <= files + 2)
    app.qtbot.waitUntil(lambda: threading.active_count() <= threads)
    now = (process.memory_info().rss, engine().memory_info().rss)
    for before, after in zip(memory, now, strict=True):
        assert after - before < 40 << 20, (before, after)
    assert len(app.videos()) == 24


def test_another_folder_of_models_counts_from_the_next_start(
    tmp_path: Path, qtbot: QtBot, lent_engine: EngineProcess
) -> None:
    with pytest.MonkeyPatch.context() as lent:  # the first start needs no engine of its own
        lent.setattr("magi_desktop.engines.EngineProcess", lambda *_, **__: lent_engine)
        app = App(tmp_path / "home", qtbot)
        app.workshop.preferences.set("models_folder", str(tmp_path / "large"))
        app.close()
    again = App(tmp_path / "home", qtbot)
    try:
        assert again.workshop.models.models_dir == tmp_path / "large"
        again.short(chunks=1)
        again.generate()
        again.wait_for(Phase.FINISHED)
    finally:
        again.close()
