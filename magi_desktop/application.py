"""Qt's application object, for the program and for its set-up."""

from __future__ import annotations

import os
import sys

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from magi_desktop import shell, windows_taskbar
from magi_desktop.paths import APP_NAME
from magi_engine import __version__


def open_application(argv: list[str]) -> QApplication:
    """Connect to the screen; where there is none, one sentence ends the process with code 1."""
    windows_taskbar.own_button()
    said: list[str] = []

    def listen(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        if kind is not QtMsgType.QtFatalMsg:
            said.append(message)
            return
        # Qt would abort when this returns. What it said first is the cause; then come guesses.
        cause = (said[0] if said else message.splitlines()[0]).rstrip(".")
        print(f"Error: There is no screen to open a window on: {cause}.", file=sys.stderr)
        print("Set DISPLAY to one that is there, or use the command line.", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)

    before = qInstallMessageHandler(listen)
    app = QApplication(argv)
    qInstallMessageHandler(before)
    for message in said:
        print(message, file=sys.stderr)
    app.setApplicationName(APP_NAME)
    app.setApplicationVersion(__version__)
    QGuiApplication.setDesktopFileName(shell.DESKTOP_ID)
    app.setStyle("Fusion")
    return app
