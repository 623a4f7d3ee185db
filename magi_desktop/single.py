"""One running program per user: a second start hands its files to the first and ends."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QDir, QLockFile, QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from magi_desktop.paths import Places
from magi_engine.json_text import parse_json

_WAIT_MS = 1000
_PATIENCE_S = 10.0
_POLL_S = 0.05
_ANY_PROCESS = -1
_TOKEN = "XDG_ACTIVATION_TOKEN"
"""By which a Wayland desktop knows that a window comes to the front because the user wants it."""


def bell_name(places: Places) -> str:
    """Where a second start of the same user finds the first."""
    digest = hashlib.sha256(str(places.data).encode()).hexdigest()[:12]
    return f"magi-desktop-{digest}"


def claim(name: str, paths: list[str], parent: QObject | None = None) -> Doorbell | None:
    """Be the one running program, or give ``paths`` to the one there is.

    Returns:
        The bell that later starts ring; None: another program runs, and has the paths now.
    """
    lock = QLockFile(QDir.temp().filePath(f"{name}.lock"))
    lock.setStaleLockTime(0)  # whose owner lives is not stale, however old it is
    deadline = time.monotonic() + _PATIENCE_S
    while not hand_over(name, paths):
        # Who has the lock but no bell has just been started, or is about to end.
        taken = not lock.tryLock(0) and lock.error() is QLockFile.LockError.LockFailedError
        if not taken or time.monotonic() > deadline:
            return Doorbell(name, lock, parent)
        time.sleep(_POLL_S)
    return None


def hand_over(name: str, paths: list[str]) -> bool:
    """Give ``paths`` to the program that runs already; False if there is none."""
    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(_WAIT_MS):
        return False
    if sys.platform == "win32":
        import ctypes

        # Only who was started by the user may pass on the right to come to the front.
        ctypes.windll.user32.AllowSetForegroundWindow(_ANY_PROCESS)
    message = {"files": paths, "token": os.environ.get(_TOKEN, "")}
    socket.write(json.dumps(message).encode() + b"\n")
    socket.waitForBytesWritten(_WAIT_MS)
    socket.disconnectFromServer()
    return True


class Doorbell(QObject):
    """Rings when the program is started again.

    Signals:
        rung: paths the other start was given.
    """

    rung = Signal(list)

    def __init__(self, name: str, lock: QLockFile, parent: QObject | None) -> None:
        super().__init__(parent)
        self._lock = lock
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        if not self._server.listen(name):
            QLocalServer.removeServer(name)  # left behind by a crash
            self._server.listen(name)

    def close(self) -> None:
        """Answer no more: who comes now waits until this process has ended, and is then the one."""
        self._server.close()

    @Slot()
    def _answer(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._read)
            # While this program was busy, all may have come and the other have gone.
            socket.disconnected.connect(self._read)
            socket.disconnected.connect(socket.deleteLater)
            self._take(socket)

    @Slot()
    def _read(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        self._take(socket)

    def _take(self, socket: QLocalSocket) -> None:
        while socket.canReadLine():
            try:
                said = parse_json(bytes(socket.readLine().data()))
                files, token = list(said["files"]), said["token"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(token, str) and token:
                os.environ[_TOKEN] = token  # where Qt looks when a window is to come to the front
            self.rung.emit([p for p in files if isinstance(p, str) and Path(p).exists()])
