"""A window of another program from which something can be dragged.

Run as ``python drag_source.py KIND VALUE...``: ``files`` with paths, ``text`` with a text, or
``image`` with the path of a picture whose pixels are offered without a file, as a browser does.
It lies in the lower right corner of the screen, prints what became of the drag, and stays until it
is ended: the other side fetches the data after the drop.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QImage, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QApplication, QLabel

SIDE = 90
"""Width and height of the window, in pixels."""


def offered(kind: str, values: list[str]) -> QMimeData:
    """What is dragged."""
    data = QMimeData()
    if kind == "files":
        data.setUrls([QUrl.fromLocalFile(value) for value in values])
    elif kind == "text":
        data.setText(values[0])
    else:
        data.setImageData(QImage(values[0]))
    return data


class Source(QLabel):
    """Starts a drag as soon as the mouse is moved with its button down."""

    def __init__(self, kind: str, values: list[str]) -> None:
        super().__init__("drag me")
        self._kind, self._values = kind, values
        self._ready = False
        self.setWindowFlags(
            Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint
            | Qt.WindowType.BypassWindowManagerHint
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._ready:  # it is on the screen
            self._ready = True
            print("ready", flush=True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            drag = QDrag(self)
            drag.actionChanged.connect(_say_accepted)
            drag.setMimeData(offered(self._kind, self._values))
            action = drag.exec(Qt.DropAction.CopyAction)
            print("dropped" if action is Qt.DropAction.CopyAction else "refused", flush=True)


def _say_accepted(action: Qt.DropAction) -> None:
    if action is Qt.DropAction.CopyAction:
        print("accepted", flush=True)


def main() -> None:
    """Show the window."""
    app = QApplication([])
    source = Source(sys.argv[1], sys.argv[2:])
    screen = app.primaryScreen().geometry()
    source.setGeometry(screen.width() - SIDE, screen.height() - SIDE, SIDE, SIDE)
    source.show()
    source.raise_()
    sys.exit(app.exec())


if __name__ == "__main__":
    main()
