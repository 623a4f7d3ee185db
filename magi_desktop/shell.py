"""What the desktop around us offers: the file manager, notifications, progress on the taskbar.

None of it is needed: where a desktop lacks something, nothing happens but a line in the log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QSystemTrayIcon, QWidget
from shiboken6 import isValid

logger = logging.getLogger(__name__)

DESKTOP_ID = "magi-desktop"
_MANAGERS = "org.freedesktop.FileManager1"


def show_in_folder(path: Path, window: QWidget) -> None:
    """Open the file manager with ``path`` selected, or at least its folder."""
    if sys.platform == "win32":
        # In one argument a name with spaces would be quoted as a whole, which explorer misreads.
        command = ["explorer", "/select,", str(path)]
    elif sys.platform == "darwin":
        command = ["open", "-R", str(path)]
    else:
        command = [
            *("dbus-send", "--session", f"--dest={_MANAGERS}", "--type=method_call"),
            *("--print-reply", "--reply-timeout=3000", "/org/freedesktop/FileManager1"),
            *(f"{_MANAGERS}.ShowItems", f"array:string:{path.as_uri()}", "string:"),
        ]

    def ended(well: bool) -> None:
        if not well and sys.platform != "win32":  # where explorer always answers 1
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))

    _start(command, window, ended)


def notify(title: str, text: str, window: QWidget) -> None:
    """A desktop notification, unless the window is in front anyway."""
    if window.isActiveWindow():
        return

    def ended(well: bool) -> None:
        if not well:
            _notify_from_tray(title, text, window)

    if sys.platform.startswith("linux"):
        _start(
            ["notify-send", "--app-name=Magi Desktop", f"--icon={DESKTOP_ID}", title, text],
            window,
            ended,
        )
    else:
        ended(False)


def _notify_from_tray(title: str, text: str, window: QWidget) -> None:
    if not QSystemTrayIcon.isSystemTrayAvailable():
        return
    tray = QSystemTrayIcon(window.windowIcon(), window)
    tray.show()
    tray.showMessage(title, text)
    tray.messageClicked.connect(tray.deleteLater)
    QTimer.singleShot(10_000, tray, tray.deleteLater)


def _start(command: list[str], window: QWidget, ended: Callable[[bool], None]) -> None:
    """Start a program of the desktop; ``ended`` hears whether it was there and ended well."""
    process = QProcess(window)
    process.setStandardOutputFile(QProcess.nullDevice())
    process.setStandardErrorFile(QProcess.nullDevice())

    def finished(code: int, status: QProcess.ExitStatus) -> None:
        if not isValid(process):  # it was taken along by its window
            return
        process.deleteLater()
        ended(code == 0 and status is QProcess.ExitStatus.NormalExit)

    def failed(error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # of the others ``finished`` tells
            process.deleteLater()
            ended(False)

    process.finished.connect(finished)
    process.errorOccurred.connect(failed)
    process.start(command[0], command[1:])


class TaskbarProgress(QObject):
    """A progress bar on the program's entry in the taskbar, where the desktop has that.

    On Linux this is the launcher-entry signal that GNOME's and KDE's docks understand, on Windows
    ``ITaskbarList3``.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._shown: int | None = None

    def show(self, fraction: float | None) -> None:
        """Show a share of 0 to 1, or nothing."""
        percent = None if fraction is None else round(fraction * 100)
        if percent == self._shown:
            return
        self._shown = percent
        if sys.platform.startswith("linux"):
            _launcher_entry(percent)
        elif sys.platform == "win32":
            from magi_desktop.windows_taskbar import set_progress

            set_progress(int(self._window.winId()), percent)


def _launcher_entry(percent: int | None) -> None:
    from PySide6.QtDBus import QDBusConnection, QDBusMessage

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return
    message = QDBusMessage.createSignal("/", "com.canonical.Unity.LauncherEntry", "Update")
    values = {"progress": (percent or 0) / 100, "progress-visible": percent is not None}
    message.setArguments([f"application://{DESKTOP_ID}.desktop", values])
    bus.send(message)
