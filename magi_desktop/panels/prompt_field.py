"""The text field of the prompt."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt, Signal, Slot
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QResizeEvent,
    QTextCursor,
)
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

_LEAST_LINES, _MOST_LINES = 3, 10
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class PromptField(QPlainTextEdit):
    """Plain text that grows with its lines up to a limit.

    Signals:
        generate_requested: Ctrl+Enter.
        history_requested: 1 for an older prompt (Alt+Up), -1 for a newer one (Alt+Down).
        paste_requested: something other than text is to be pasted.
    """

    generate_requested = Signal()
    history_requested = Signal(int)
    paste_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._offered = ""
        """A text that is there to be typed over: a click selects it all, once."""
        self.textChanged.connect(self._fit_height)
        self._fit_height()

    def replace_text(self, text: str) -> None:
        """Put another text in place of all there is; can be undone."""
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.endEditBlock()
        self.moveCursor(QTextCursor.MoveOperation.End)

    def offer_text(self, text: str) -> None:
        """Like ``replace_text``, with a text that gives way to what is typed."""
        self.replace_text(text)
        self.selectAll()
        self._offered = text

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self.toPlainText() == self._offered:
            self.selectAll()
        self._offered = ""

    def insert_words(self, text: str) -> None:
        """Put words where the cursor is, apart from those around them."""
        cursor = self.textCursor()
        before = cursor.document().characterAt(cursor.selectionStart() - 1)
        after = cursor.document().characterAt(cursor.selectionEnd())
        apart = cursor.selectionStart() > 0 and not before.isspace()
        cursor.insertText((" " if apart else "") + text.strip() + ("" if after.isspace() else " "))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in _ENTER and modifiers == Qt.KeyboardModifier.ControlModifier:
            if not event.isAutoRepeat():
                self.generate_requested.emit()
        elif modifiers == Qt.KeyboardModifier.AltModifier and event.key() == Qt.Key.Key_Up:
            self.history_requested.emit(1)
        elif modifiers == Qt.KeyboardModifier.AltModifier and event.key() == Qt.Key.Key_Down:
            self.history_requested.emit(-1)
        elif event.matches(QKeySequence.StandardKey.Paste) and not self.canPaste():
            if QGuiApplication.clipboard().mimeData().formats():
                self.paste_requested.emit()
        else:
            super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Words, also where a picture of them comes along, as from word processors; files and mere
        pictures belong to the window, which gets them instead."""
        return source.hasText() and not source.hasUrls()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_height()

    @Slot()
    def _fit_height(self) -> None:
        # The height of a plain text document is its number of lines, wrapped ones counted.
        lines = round(self.document().size().height())
        shown = min(max(lines, _LEAST_LINES), _MOST_LINES)
        margins = self.contentsMargins()
        frame = margins.top() + margins.bottom() + 2 * round(self.document().documentMargin())
        height = shown * self.fontMetrics().lineSpacing() + frame + 2
        if height != self.height():
            self.setFixedHeight(height)
