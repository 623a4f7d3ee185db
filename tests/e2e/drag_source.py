"""A window of another program from which something can be dragged.

Run as ``python drag_source.py KIND VALUE...``: ``files`` with paths, ``text`` with a text, or
``image`` with the path of a picture whose pixels are offered without a file, as a browser does.
It lies in the lower right corner of the screen, prints what became of the drag, and stays until it
is ended: the other side fetches the data after the drop.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QImage, QMouseEvent
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
        self.setWindowFlags(
            Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint
            | Qt.WindowType.BypassWindowManagerHint
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            drag = QDrag(self)
            drag.setMimeData(offered(self._kind, self._values))
            action = drag.exec(Qt.DropAction.CopyAction)
            print("dropped" if action is Qt.DropAction.CopyAction else "refused", flush=True)


def main() -> None:
    """Show the window."""
    app = QApplication([])
    source = Source(sys.argv[1], sys.argv[2:])
    screen = app.primaryScreen().geometry()
    source.setGeometry(screen.width() - SIDE, screen.height() - SIDE, SIDE, SIDE)
    source.show()
    source.raise_()
    QTimer.singleShot(300, lambda: print("ready", flush=True))
    QTimer.singleShot(20_000, lambda: app.exit(1))  # never outlives its test by much
    sys.exit(app.exec())


if __name__ == "__main__":
    main()
