"""What surrounds the window: one program at a time, the log, diagnostics, the desktop."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import qInstallMessageHandler
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from magi_desktop import diagnostics, logs, shell, single
from magi_desktop.paths import Places
from magi_engine import __version__
from magi_engine.runtime.finding import Finding

_BELL = "magi-desktop-test"


def test_a_second_start_hands_over_its_files_and_ends(qtbot: QtBot, tmp_path: Path) -> None:
    assert not single.hand_over(_BELL, []), "nobody is there yet"
    bell = single.Doorbell(_BELL)
    (tmp_path / "a.png").touch()
    files = [str(tmp_path / "a.png"), str(tmp_path / "gone.png")]
    script = (
        "import sys; from PySide6.QtCore import QCoreApplication; app = QCoreApplication([]);"
        f"from magi_desktop import single; sys.exit(not single.hand_over({_BELL!r}, {files!r}))"
    )
    with qtbot.waitSignal(bell.rung, timeout=20_000) as rung:
        second = subprocess.Popen([sys.executable, "-c", script])
    assert rung.args == [files[:1]]
    assert second.wait(10) == 0


def test_a_bell_left_by_a_crash_does_not_keep_the_next_start_out(qtbot: QtBot) -> None:
    first = single.Doorbell(_BELL)
    second = single.Doorbell(_BELL)  # as after a crash: the name is taken
    with qtbot.waitSignal(second.rung):
        assert single.hand_over(_BELL, [])
    first.deleteLater()


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
    assert "a fault of ours" in log_file.read_text()
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
    assert "all is well" in file.read_text()
    said = capsys.readouterr().err
    assert "a fault of ours" in said
    assert "all is well" not in said


def test_without_a_terminal_it_logs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # a windowed program on Windows
    file = request.getfixturevalue("log_file")
    logging.getLogger("magi_desktop").error("a fault of ours")
    assert "a fault of ours" in file.read_text()
    assert not any(type(h) is logging.StreamHandler for h in logging.getLogger().handlers)


def test_a_desktop_that_offers_nothing_is_no_error(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    window = QWidget()
    qtbot.addWidget(window)
    asyncio.run(shell.notify("title", "text", window))
    progress = shell.TaskbarProgress(window)
    for fraction in (0.0, 0.5, 1.0, None):
        progress.show(fraction)


def test_the_windows_process_never_imports_pytorch(tmp_path: Path) -> None:
    script = (
        "import sys; from PySide6.QtWidgets import QApplication; app = QApplication([]);"
        "from pathlib import Path; from magi_desktop.main_window import MainWindow;"
        "from magi_desktop.workshop import Workshop; from magi_desktop.paths import Places;"
        "from magi_desktop.settings import Preferences, SettingsFile;"
        f"home = Path({str(tmp_path)!r});"
        "places = Places(*(home / n for n in ('config', 'data', 'cache', 'logs', 'videos')));"
        "file = SettingsFile(places.settings_file);"
        "shop = Workshop(places, file, Preferences(file)); window = MainWindow(shop);"
        "window.show(); app.processEvents();"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
