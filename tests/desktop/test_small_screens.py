"""All windows on small screens, on scaled ones, and on the second of two."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from magi_engine.runtime.request.request import GenerationRequest, Mode
from tests.desktop.machines import planned

_PROGRAM = """
import os, pickle, sys
from pathlib import Path
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication
from magi_desktop.application import open_application
from magi_desktop.main_window import MainWindow
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.widgets.fitting import SmallScreenScroll
from magi_desktop.workshop import Workshop

home = Path(sys.argv[1])
app = open_application(["magi-desktop"])
theme().apply(Appearance.LIGHT)
places = Places(*(home / name for name in ("config", "data", "cache", "logs", "videos")))
file = SettingsFile(places.settings_file)
shop = Workshop(places, file, Preferences(file))
screen = app.screens()[-1]
window = MainWindow(shop)
if len(app.screens()) > 1:
    window.move(screen.availableGeometry().center() - QPoint(400, 200))
window.show()
window.activateWindow()

def until(condition):
    while not condition():
        app.processEvents()

def check(shown):
    until(shown.isActiveWindow)
    app.processEvents()
    free, frame, name = screen.availableGeometry(), shown.frameGeometry(), type(shown).__name__
    assert shown.screen() is screen, f"{name} is on {shown.screen().name()}"
    assert free.contains(frame), f"{name}: {frame} is not within {free}"
    print(name)

def whole(shown):
    # Whether it shows all of itself, as it does where there is room.
    (around,) = [s for s in shown.findChildren(SmallScreenScroll) if s.parent() is shown]
    return not around.horizontalScrollBar().maximum() and not around.verticalScrollBar().maximum()

def look(opening):
    before = QApplication.activeModalWidget()
    opening()
    until(lambda: QApplication.activeModalWidget() not in (before, None))
    shown = QApplication.activeModalWidget()
    check(shown)
    if screen.availableGeometry().height() > 1000:
        until(lambda: whole(shown))
    return shown

check(window)
shop.models.refresh()
until(lambda: shop.models.statuses)
request, plan = pickle.loads(Path(sys.argv[2]).read_bytes())
shop.job.begin(request)
shop.job.take(plan)
d = window.dialogs
for opening in (
    d.preferences, d.about, d.welcome, d.updates, d.places, d.speed,
    lambda: d.shortcuts(window.menus), lambda: d.download("4.5B-base"),
):
    look(opening).close()
models = look(d.models)
for opening in (models._ask_own, models._ask_mirror):
    look(opening).close()
sys.stdout.flush()
os._exit(0)
"""
_ALL = [
    "MainWindow",
    "PreferencesDialog",
    "AboutDialog",
    "WelcomeDialog",
    "UpdatesDialog",
    "PlacesDialog",
    "SpeedDialog",
    "HelpSheet",
    "LicenceDialog",
    "ModelsDialog",
    "AddModelDialog",
    "MirrorDialog",
]
_SMALL = (1280, 720)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A request and its plan, which the engine makes: a program of windows has no PyTorch."""
    request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 96)
    path = tmp_path_factory.mktemp("job") / "job.pickle"
    path.write_bytes(pickle.dumps((request, planned(request))))
    return path


@pytest.mark.parametrize(
    ("screens", "scale"),
    [
        ([_SMALL], "1"),
        ([_SMALL], "1.5"),
        ([_SMALL], "2"),
        ([(2560, 1440), _SMALL], "1"),
        ([(2560, 1440)], "1"),
    ],
    ids=lambda value: str(value),
)
def test_every_window_lies_within_its_screen(
    tmp_path: Path, job: Path, screens: list[tuple[int, int]], scale: str
) -> None:
    described, left = [], 0
    for number, (width, height) in enumerate(screens):
        dots = {"logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
        place = {"x": left, "y": 0, "width": width, "height": height}
        described.append({"name": f"screen {number}", **place, **dots})
        left += width
    (tmp_path / "screens.json").write_text(json.dumps({"screens": described}))
    platform = "offscreen:configfile=screens.json"  # relative: a drive has a colon too
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "home"), str(job)],
        env={**os.environ, "QT_QPA_PLATFORM": platform, "QT_SCALE_FACTOR": scale},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == _ALL
