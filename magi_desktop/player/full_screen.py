"""The player alone on the screen, its controls hidden while the mouse rests."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QCursor, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from magi_desktop.player.actions import PlayerActions
from magi_desktop.player.canvas import Canvas
from magi_desktop.player.transport import Transport
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.layout import vbox

_HIDE_AFTER_MS = 2500
_MOST_WIDTH = 900


class FullScreen(QWidget):
    """A window of its own that borrows the picture and the controls.

    Signals:
        left: by Esc, or because the system closed the window.
    """

    left = Signal()

    def __init__(
        self, canvas: Canvas, transport: Transport, commands: PlayerActions, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(parent.window().windowTitle())
        self._canvas, self._transport, self._commands = canvas, transport, commands
        vbox(self).add(canvas)
        canvas.bare = True
        canvas.installEventFilter(self)
        transport.setParent(self)
        transport.set_floating(True)
        self._timer = QTimer(self, singleShot=True, interval=_HIDE_AFTER_MS)
        self._timer.timeout.connect(self.hide_controls)

    def release(self) -> None:
        """Give back what was borrowed; the caller puts it where it belongs."""
        self._timer.stop()
        self._canvas.removeEventFilter(self)
        self._canvas.bare = False
        self._canvas.show_cursor()
        self._transport.show()

    def show_controls(self) -> None:
        """Until the mouse has rested for a while."""
        self._canvas.show_cursor()
        self._transport.show()
        self._transport.raise_()
        self._timer.start()

    @Slot()
    def hide_controls(self) -> None:
        """Leave only the picture, unless the controls are in use."""
        focus = self.focusWidget()
        in_use = (
            self._transport.popup_open()
            or self._transport.holds(QCursor.pos())
            or (focus is not None and self._transport.isAncestorOf(focus))
        )
        if in_use:
            self._timer.start()
            return
        self._transport.hide()
        self._canvas.show_cursor(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._canvas.setFocus()
        self.show_controls()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = min(_MOST_WIDTH, self.width() - 2 * t.SPACE_5)
        height = self._transport.sizeHint().height()
        left = (self.width() - width) // 2
        self._transport.setGeometry(left, self.height() - height - t.SPACE_5, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress):
            self.show_controls()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self.show_controls()
            super().keyPressEvent(event)
        elif not self._commands.handle_key(event):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()
        self.left.emit()
