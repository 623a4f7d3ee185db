"""From the command to the open window, and the orderly end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QProcess, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QWidget

from magi_desktop import logs, set_up, single, translation
from magi_desktop.application import open_application
from magi_desktop.paths import APP_NAME, Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.theme.style import Appearance, theme
from magi_engine import __version__
from magi_engine.resources import resource_path

logger = logging.getLogger(__name__)

_PATIENCE_MS = 5000
"""A window that was started minimised is not painted."""


class FirstPicture(QObject):
    """Tells once that a window has been painted, however long that took.

    What comes after it, such as the engine's process and the welcome, would compete with it.
    """

    seen = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.installEventFilter(self)
        self._timer = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._timer.timeout.connect(self.seen)
        self._timer.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            watched.removeEventFilter(self)
            if self._timer.isActive():
                self._timer.start(0)  # when it is done
        return False


def main(argv: list[str]) -> int:
    """Run the program until its window is closed; returns the exit code.

    Args:
        argv: the program's name, then files to open.
    """
    gc.disable()  # until the first picture: what is imported and built for it stays
    with contextlib.suppress(OSError):
        if not os.path.isdir(os.curdir):  # what started us has removed it; nothing works there
            os.chdir(Path.home())
    # Qt keeps of a name on Windows only the letters of one code page: it gets no files.
    app = open_application(argv[:1])
    places = Places.of_user()
    files = [os.path.abspath(path) for path in argv[1:]]
    doorbell = single.claim(single.bell_name(places), files, app)
    if doorbell is None:
        return 0
    set_up.hold(Path(sys.prefix))
    logs.set_up(places.log_file)
    logger.info("%s %s, Python %s", APP_NAME, __version__, sys.version.split()[0])
    app.setWindowIcon(QIcon(str(resource_path("icons", "app.svg"))))

    file = SettingsFile(places.settings_file)
    preferences = Preferences(file)
    translation.install(preferences.get("language"))
    theme().apply(Appearance(preferences.get("appearance")))

    # Imported late: the translator has to be there, and so does the splash of the theme.
    from magi_desktop.main_window import MainWindow
    from magi_desktop.workshop import Workshop

    workshop = Workshop(places, file, preferences)
    window = MainWindow(workshop)
    doorbell.rung.connect(window.open_again)
    picture = FirstPicture(window)
    picture.seen.connect(gc.enable)
    picture.seen.connect(workshop.start)
    picture.seen.connect(window.dialogs.greet)
    picture.seen.connect(window.get_ready)
    window.show()
    if files:
        QTimer.singleShot(0, lambda: window.arrivals.open(*map(Path, files)))

    # Not quit(): that asks the windows, and this one says no as long as a video is being made.
    window.closed.connect(lambda: app.exit())
    app.exec()
    doorbell.close()
    workshop.close()
    if window.restart_wanted:
        # The command as it was, without the files to open.
        words = sys.orig_argv[1 : len(sys.orig_argv) - len(files)]
        QProcess.startDetached(sys.executable, words)
    return 0


def run() -> None:
    sys.exit(main(sys.argv))
