"""Starting the program again while it runs, as a double click on a picture does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from magi_desktop import single
from magi_engine.runtime.request.request import Mode
from tests.e2e.conftest import App


def test_the_first_window_comes_to_the_front_with_the_files_of_the_second(
    app: App, tmp_path: Path
) -> None:
    bell = single.claim(single.bell_name(app.places), [], app.window)
    assert bell is not None
    bell.rung.connect(app.window.open_again)
    pictures = [tmp_path / "a ball.png", tmp_path / "ü.png"]
    for path in pictures:
        image = QImage(320, 240, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.red)
        assert image.save(str(path))
    app.window.showMinimized()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "magi_desktop", *map(str, pictures)],
        env={**os.environ, "MAGI_DESKTOP_HOME": str(app.home)},
    ) as second:
        draft = app.workshop.draft
        app.qtbot.waitUntil(lambda: draft.reference is not None)
        assert second.wait() == 0, "it ends at once"
    assert draft.mode is Mode.I2V
    assert draft.reference is not None
    assert draft.reference.path == pictures[0]
    assert not app.window.isMinimized()
    app.qtbot.waitUntil(app.window.isActiveWindow)
    assert app.window.notice.text.endswith("This one is used: a ball.png")
