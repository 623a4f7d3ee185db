"""One running program per user: a second start hands its files to the first and ends."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from magi_desktop.paths import Places

_WAIT_MS = 1000


def bell_name(places: Places) -> str:
    """Where a second start of the same user finds the first."""
    digest = hashlib.sha256(str(places.data).encode()).hexdigest()[:12]
    return f"magi-desktop-{digest}"


def hand_over(name: str, paths: list[str]) -> bool:
    """Give ``paths`` to the program that runs already; False if there is none."""
    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(_WAIT_MS):
        return False
    socket.write(json.dumps(paths).encode() + b"\n")
    socket.waitForBytesWritten(_WAIT_MS)
    socket.disconnectFromServer()
    return True


class Doorbell(QObject):
    """Rings when the program is started again.

    Signals:
        rung: paths the other start was given.
    """

    rung = Signal(list)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        if not self._server.listen(name):
            QLocalServer.removeServer(name)  # left behind by a crash
            self._server.listen(name)

    @Slot()
    def _answer(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._read)
            socket.disconnected.connect(socket.deleteLater)

    @Slot()
    def _read(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        while socket.canReadLine():
            try:
                paths = json.loads(bytes(socket.readLine().data()))
            except ValueError:
                continue
            if isinstance(paths, list):
                self.rung.emit([p for p in paths if isinstance(p, str) and Path(p).exists()])
