"""The real window on a screen of its own (Xvfb), with the real engine and the pocket model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QDropEvent, QKeyEvent, QWindow
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.main_window import MainWindow
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.jobs import Phase
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.workshop import Workshop
from magi_engine.runtime.engine_process import EngineProcess
from tests.gap_meter import GapMeter

_SCREEN = "1280x800x24"
ENDLESS = 200
"""Chunks of a video that is not done before it is stopped, however late a test comes to that."""
_screen: subprocess.Popen[bytes] | None = None


def pytest_configure() -> None:
    """Start the screen before Qt does."""
    global _screen
    if not sys.platform.startswith("linux") or QApplication.instance() is not None:
        return
    if shutil.which("Xvfb") is None:
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", _SCREEN, "-nolisten", "tcp"]
    command.append("-r")  # no key repeats itself where a busy machine lets it go late
    _screen = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"


def pytest_unconfigure() -> None:
    """End the screen."""
    if _screen is not None:
        _screen.terminate()
        _screen.wait()


@pytest.fixture(scope="session", autouse=True)
def _style(qapp: QApplication) -> None:
    qapp.setStyle("Fusion")
    theme().apply(Appearance.LIGHT)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer to press Undo than the offer stands."""
    monkeypatch.setattr("magi_desktop.widgets.notice_bar.UNDO_MS", 10**8)


class App:
    """One run of the program in this process, as ``app.main`` puts it together."""

    def __init__(self, home: Path, qtbot: QtBot) -> None:
        self.home, self.qtbot = home, qtbot
        self.places = Places(*(home / n for n in ("config", "data", "cache", "logs", "videos")))
        file = SettingsFile(self.places.settings_file)
        preferences = Preferences(file)
        preferences.set("welcomed", True)
        self.workshop = Workshop(self.places, file, preferences)
        self.window = MainWindow(self.workshop)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.to_front()
        self.workshop.start()
        # What earlier sessions left takes the place of what is set before it is here.
        qtbot.waitUntil(lambda: self.workshop.library.loaded)
        self.closed = False
        self.window.closed.connect(self._note_closed)

    @property
    def job(self):
        """The running or last job."""
        return self.workshop.job

    def to_front(self) -> None:
        """Have the window take the keys; a screen without a window manager leaves that to us."""
        self.window.activateWindow()
        self.qtbot.waitUntil(self.window.isActiveWindow)

    def short(self, prompt: str = "a red circle moves right", chunks: int = 2) -> None:
        """Compose something that takes a few seconds."""
        self.workshop.draft.set_prompt(prompt)
        self.workshop.draft.set(num_steps=4, seconds=float(chunks), seed=3, seed_locked=True)

    def generate(self) -> None:
        """Press the button."""
        self.qtbot.mouseClick(self.window.generate_bar.button, Qt.MouseButton.LeftButton)

    def wait_for(self, *phases: Phase) -> None:
        """Until the job is in one of these phases."""
        self.qtbot.waitUntil(lambda: self.job.phase in phases)

    def wait_idle(self) -> None:
        """Until nothing runs and nothing waits."""
        controller = self.workshop.controller
        self.qtbot.waitUntil(lambda: not controller.busy)

    def videos(self) -> list[Path]:
        """Everything in the folder of videos, unfinished files too."""
        return sorted(self.places.videos.iterdir()) if self.places.videos.is_dir() else []

    def close(self) -> None:
        """End the program in order, as a user who confirms."""
        if not self.closed:
            self.workshop.controller.close()
            self.wait_idle()
            self.window.close()
        self.workshop.close()
        # An engine that is lent goes on with what it was asked last: not in bounded time.
        self.qtbot.waitUntil(self.workshop.engine.isFinished)
        self.window.deleteLater()
        self.workshop.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    @Slot()
    def _note_closed(self) -> None:
        self.closed = True


class _LentEngine(EngineProcess):
    """Outlives the program that closes it: to start one takes longer than most tests."""

    def close(self) -> None:
        pass

    def end(self) -> None:
        """End it for good."""
        super().close()


@pytest.fixture(scope="session")
def lent_engine(own_places: Path) -> Iterator[EngineProcess]:
    """The real engine, for all tests that do not begin with a fresh one."""
    engine = _LentEngine()
    engine.start()
    yield engine
    engine.end()


@pytest.fixture
def lent(lent_engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever program a test starts in its own process has the engine that is lent."""
    monkeypatch.setattr("magi_desktop.engines.EngineProcess", lambda *_, **__: lent_engine)


@pytest.fixture
def app(tmp_path: Path, qtbot: QtBot, lent: None) -> Iterator[App]:
    """The program with nothing of its own yet."""
    running = App(tmp_path / "home", qtbot)
    yield running
    running.close()


@pytest.fixture
def gap_meter() -> Iterator[GapMeter]:
    """Not started yet."""
    meter = GapMeter()
    yield meter
    meter.stop()


class Witness(QObject):
    """Notes what comes in from outside the program.

    Attributes:
        released: keys that were let go.
        dragged: where something was dragged to, in the window's coordinates.
        drops: how many drops there were.
    """

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.released: list[int] = []
        self.dragged: list[QPoint] = []
        self.drops = 0
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyRelease:
            self.released.append(event.key())
        elif isinstance(event, QDropEvent) and isinstance(watched, QWindow):
            if event.type() is QEvent.Type.Drop:
                self.drops += 1
            else:
                self.dragged.append(event.position().toPoint())
        return False


@pytest.fixture
def witness(qapp: QApplication) -> Iterator[Witness]:
    """Sees what comes in from now on."""
    found = Witness(qapp)
    yield found
    qapp.removeEventFilter(found)
    found.deleteLater()


def until(condition, timeout_s: float = 300) -> None:
    """Wait for another process, without an event loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
