"""What surrounds the window: one program at a time, the log, diagnostics, the desktop."""

from __future__ import annotations

import logging
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, QUrl, qInstallMessageHandler
from PySide6.QtGui import QDesktopServices, QPaintEvent
from PySide6.QtNetwork import QLocalSocket
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from magi_desktop import diagnostics, dialogs, logs, shell, single
from magi_desktop.app import FirstPicture
from magi_desktop.paths import Places
from magi_engine import __version__
from magi_engine.runtime.machine.facts import Finding


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A bell that no other test hears."""
    return f"magi-desktop-{os.getpid()}-{tmp_path.name}"


def test_a_second_start_hands_over_its_files_and_ends(
    qtbot: QtBot, name: str, tmp_path: Path
) -> None:
    assert not single.hand_over(name, []), "nobody is there yet"
    bell = single.claim(name, [])
    assert bell is not None
    picture = tmp_path / "ü 圆 🎈.png"
    picture.touch()
    script = (
        "import sys; from magi_desktop import app, single;"
        f"single.bell_name = lambda places: {name!r}; sys.exit(app.main(sys.argv))"
    )
    command = [sys.executable, "-c", script, picture.name, "gone.png"]
    with qtbot.waitSignal(bell.rung) as rung:
        second = subprocess.Popen(command, cwd=tmp_path)
    assert rung.args == [[str(picture)]]
    assert second.wait(10) == 0


def test_a_bell_left_by_a_crash_does_not_keep_the_next_start_out(qtbot: QtBot, name: str) -> None:
    script = (
        "import os; from PySide6.QtCore import QCoreApplication; app = QCoreApplication([]);"
        f"from magi_desktop import single; bell = single.claim({name!r}, []);"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode != 0
    bell = single.claim(name, [])
    assert bell is not None
    with qtbot.waitSignal(bell.rung):
        assert single.hand_over(name, [])


def test_started_several_times_at_once_one_stays_and_gets_all_files(
    name: str, tmp_path: Path
) -> None:
    script = """
import sys
from PySide6.QtCore import QCoreApplication, QTimer
from magi_desktop import single
app = QCoreApplication([])
print("ready", flush=True)
sys.stdin.readline()
bell = single.claim(sys.argv[2], [sys.argv[1]])
if bell is None:
    sys.exit("handed over")
files = [sys.argv[1]]
def rung(others):
    files.extend(others)
    if len(files) == 4:
        app.quit()
bell.rung.connect(rung)
QTimer.singleShot(20_000, app.quit)
app.exec()
print(len(set(files)))
"""
    starts = []
    for number in range(4):
        (tmp_path / str(number)).touch()
        command = [sys.executable, "-c", script, str(tmp_path / str(number)), name]
        pipe = subprocess.PIPE
        starts.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("go\n")
        start.stdin.flush()
    said = [start.communicate(timeout=300) for start in starts]
    assert sorted(out for out, _ in said) == ["", "", "", "4\n"], said


def test_a_start_while_the_program_ends_waits_and_is_then_the_one(qtbot: QtBot, name: str) -> None:
    script = """
import sys, time
from PySide6.QtCore import QCoreApplication
from magi_desktop import single
app = QCoreApplication([])
bell = single.claim(sys.argv[1], [])
bell.close()
print("ending", flush=True)
time.sleep(1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, name], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ending\n"
        began = time.monotonic()
        bell = single.claim(name, [])
        assert time.monotonic() - began > 0.8, "the first had not ended"
    assert bell is not None
    bell.close()


def test_two_users_have_two_programs(tmp_path: Path) -> None:
    names = ("config", "data", "cache", "logs", "videos")
    users = [Places(*(tmp_path / user / n for n in names)) for user in ("anna", "bert")]
    assert len({single.bell_name(places) for places in users}) == 2


def test_rubbish_at_the_door_is_ignored(qtbot: QtBot, name: str) -> None:
    bell = single.claim(name, [])
    assert bell is not None
    rung: list[list[str]] = []
    bell.rung.connect(rung.append)
    for line in (b"\xff", b"[]", b"3", b'{"files": 3, "token": ""}', b'{"files": [3], "token": 3}'):
        socket = QLocalSocket()
        socket.connectToServer(name)
        assert socket.waitForConnected(1000)
        socket.write(line + b"\n")
        socket.waitForBytesWritten(1000)
        socket.disconnectFromServer()
    qtbot.waitUntil(lambda: rung == [[]])


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Logging as the program sets it up, put back afterwards."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    root.handlers[:] = []
    places = Places(*(tmp_path / n for n in ("config", "data", "cache", "logs", "videos")))
    logs.set_up(places.log_file)
    yield places.log_file
    qInstallMessageHandler(None)
    sys.excepthook = hook
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_unhandled_exceptions_reach_the_log_and_the_diagnostics(
    log_file: Path, qtbot: QtBot
) -> None:
    try:
        raise ValueError("a fault of ours")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert "a fault of ours" in log_file.read_text(encoding="utf-8")
    root = log_file.parent.parent
    places = Places(*(root / n for n in ("config", "data", "cache", "logs", "videos")))
    text = diagnostics.describe(places, [Finding("Devices", "cuda", False, "no driver")])
    assert __version__ in text
    assert "Devices: cuda no no driver" in text
    assert "ValueError: a fault of ours" in text


def test_a_terminal_shows_what_went_wrong_and_nothing_else(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    file = request.getfixturevalue("log_file")  # after stderr is being captured
    logging.getLogger("magi_desktop").info("all is well")
    logging.getLogger("magi_desktop").warning("a fault of ours")
    assert "all is well" in file.read_text(encoding="utf-8")
    said = capsys.readouterr().err
    assert "a fault of ours" in said
    assert "all is well" not in said


def test_without_a_terminal_it_logs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # a windowed program on Windows
    file = request.getfixturevalue("log_file")
    logging.getLogger("magi_desktop").error("a fault of ours")
    assert "a fault of ours" in file.read_text(encoding="utf-8")
    assert not any(type(h) is logging.StreamHandler for h in logging.getLogger().handlers)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere is always a screen")
def test_without_the_screen_that_was_named_it_ends_with_a_sentence(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "xcb",
        "DISPLAY": ":4711",
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "magi_desktop"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no screen to open a window on: ")
    assert "DISPLAY" in done.stderr
    assert done.stderr.count("\n") == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere Explorer always is")
def test_a_desktop_that_offers_nothing_is_no_error(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    window = QWidget()
    qtbot.addWidget(window)
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    shell.notify("title", "text", window)
    shell.show_in_folder(tmp_path / "a video.mp4", window)
    qtbot.waitUntil(lambda: opened == [QUrl.fromLocalFile(str(tmp_path))])
    qtbot.waitUntil(lambda: window.findChildren(QProcess) == [])
    progress = shell.TaskbarProgress(window)
    for fraction in (0.0, 0.5, 1.0, None):
        progress.show(fraction)


@pytest.mark.qt_log_ignore("QProcess: Destroyed while process")
def test_a_window_that_goes_takes_what_it_started_along(qtbot: QtBot) -> None:
    window = QWidget()
    heard: list[bool] = []
    waiting = [sys.executable, "-c", "import time; time.sleep(600)"]
    shell._start(waiting, window, heard.append)
    (process,) = window.findChildren(QProcess)
    qtbot.waitUntil(lambda: process.state() is QProcess.ProcessState.Running)
    delete(window)
    assert heard == []


def test_what_comes_after_the_first_picture_waits_for_it(qtbot: QtBot) -> None:
    class Slow(QWidget):
        painted = False

        def paintEvent(self, event: QPaintEvent) -> None:
            self.painted = True

    window = Slow()
    qtbot.addWidget(window)
    seen: list[bool] = []
    picture = FirstPicture(window)
    picture.seen.connect(lambda: seen.append(window.painted))
    for _ in range(3):
        QApplication.processEvents()
    assert seen == []
    window.show()
    qtbot.waitUntil(lambda: bool(seen))
    window.repaint()
    QApplication.processEvents()
    assert seen == [True]


def test_a_window_that_is_never_painted_does_not_hold_it_up(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magi_desktop.app._PATIENCE_MS", 0)
    window = QWidget()
    qtbot.addWidget(window)
    with qtbot.waitSignal(FirstPicture(window).seen):
        pass


_LATE = {
    *("torch", "transformers", "numpy", "av", "PIL", "sentencepiece", "ftfy", "filelock"),
    *("importlib.metadata", "magi_desktop.audition", "magi_desktop.diagnostics"),
    *("magi_desktop.panels.advanced", "magi_desktop.panels.reference"),
    *("magi_engine.runtime.planning.plan", "magi_engine.media.output", "xml.etree.ElementTree"),
    *("ssl", "packaging.version", "magi_desktop.release_feed", "magi_engine.install.download"),
    *(f"magi_desktop.dialogs.{m.name}" for m in pkgutil.iter_modules(dialogs.__path__)),
}
"""What is imported when it is needed: the first picture needs none of it."""


def test_the_first_picture_waits_for_nothing_it_does_not_need(tmp_path: Path) -> None:
    script = (
        "import sys; from PySide6.QtWidgets import QApplication; app = QApplication([]);"
        "from pathlib import Path; from magi_desktop.main_window import MainWindow;"
        "from magi_desktop.workshop import Workshop; from magi_desktop.paths import Places;"
        "from magi_desktop.settings import Preferences, SettingsFile;"
        "from magi_desktop import token_count;"
        "token_count._DELAY_MS = 10**8;"  # counting, which begins with the picture, is not tested
        f"home = Path({str(tmp_path)!r});"
        "places = Places(*(home / n for n in ('config', 'data', 'cache', 'logs', 'videos')));"
        "file = SettingsFile(places.settings_file);"
        "shop = Workshop(places, file, Preferences(file)); window = MainWindow(shop);"
        "window.show(); app.processEvents();"
        f"sys.exit(' '.join({_LATE} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
