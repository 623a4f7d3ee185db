"""Another prompt from a chunk on, while the video is being made."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from magi_desktop.dialogs.parts import push_button
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import name_control


class DirectDialog(QDialog):
    """Asks for a prompt.

    Args:
        chunk: the first that is to follow it, from 0.
        prompt: what it would follow otherwise.
        starts_s: when that chunk begins in the video.

    Signals:
        chosen: chunk and prompt.
    """

    chosen = Signal(int, str)

    def __init__(
        self, chunk: int, prompt: str, starts_s: float, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._chunk = chunk
        self.setWindowTitle(self.tr("Direct the video"))
        self.setMinimumWidth(420)
        title = QLabel(
            self.tr("From chunk {chunk} on ({second:.0f} s)").format(
                chunk=chunk + 1, second=starts_s
            ),
            self,
        )
        title.setProperty("role", "heading")
        hint = QLabel(self.tr("What should happen then? Chunks already begun stay as they are."))
        hint.setProperty("role", "muted")
        hint.setWordWrap(True)
        self.text = QPlainTextEdit(prompt, self)
        name_control(
            self.text,
            self.tr("Prompt from this chunk on"),
            self.tr("What the model is to show from then on."),
        )
        self.text.selectAll()
        self.text.setTabChangesFocus(True)
        cancel = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        cancel.clicked.connect(self.reject)
        accept = push_button(
            self.tr("Direct"), self.tr("Use this prompt (Ctrl+Enter)."), self, "primary"
        )
        accept.clicked.connect(self._accept)
        accept.setDefault(True)
        cancel.setAutoDefault(True)  # Enter on it presses it, not the default
        buttons = QHBoxLayout()
        buttons.setSpacing(t.SPACE_2)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(accept)
        QShortcut(QKeySequence("Ctrl+Return"), self, self._accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(t.SPACE_5, t.SPACE_5, t.SPACE_5, t.SPACE_4)
        column.setSpacing(t.SPACE_3)
        for widget in (title, hint, self.text):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.text.setFocus()

    @Slot()
    def _accept(self) -> None:
        self.chosen.emit(self._chunk, self.text.toPlainText().strip())
        self.accept()
