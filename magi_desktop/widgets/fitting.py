"""Windows that are never larger than what the screen has free."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

_FRAME = QSize(16, 48)
"""Room for a title bar and a frame, which nobody knows before the window is shown."""


def fit_to_screen(window: QWidget, wanted: QSize) -> None:
    """Give a window a size, or as much of it as fits on its screen with title bar and frame."""
    window.resize(wanted.boundedTo(window.screen().availableSize() - _FRAME))


class SmallScreenScroll(QScrollArea):
    """Shows all of a widget where there is room, else a part to be scrolled. Takes no keys."""

    def __init__(self, widget: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setWidget(widget)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
