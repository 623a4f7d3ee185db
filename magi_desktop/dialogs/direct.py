"""Another prompt from a chunk on, while the video is being made."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from magi_desktop.dialogs.parts import push_button
from magi_desktop.state.jobs import JobState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import name_control
from magi_desktop.widgets.fitting import Sheet


class DirectDialog(Sheet):
    """Asks for a prompt.

    Args:
        job: the running one.
        chunk: the first that is to follow the prompt, from 0; when it has begun meanwhile, the
            next one that has not.

    Signals:
        chosen: chunk and prompt.
    """

    chosen = Signal(int, str)

    def __init__(self, job: JobState, chunk: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job, self._chunk = job, chunk
        self.setWindowTitle(self.tr("Direct the video"))
        self.setMinimumWidth(420)
        self.title = QLabel(self)
        self.title.setProperty("role", "heading")
        hint = QLabel(self.tr("What should happen then? What has already begun stays as it is."))
        hint.setProperty("role", "muted")
        hint.setWordWrap(True)
        self.text = QPlainTextEdit(job.chunks[min(chunk, len(job.chunks) - 1)].prompt, self)
        name_control(
            self.text,
            self.tr("Prompt from then on"),
            self.tr("What the model is to show from then on."),
        )
        self.text.selectAll()
        self.text.setTabChangesFocus(True)
        cancel = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        cancel.clicked.connect(self.reject)
        accept = self._accept_button = push_button(
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
        for widget in (self.title, hint, self.text):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.text.setFocus()
        job.changed.connect(self._follow)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        first = self._job.first_open_chunk
        self._accept_button.setEnabled(first is not None)
        plan = self._job.plan
        if first is None or plan is None:
            self.title.setText(self.tr("Too late: all of the video has begun"))
            return
        self._chunk = max(self._chunk, first)
        second = f"{plan.chunk(self._chunk).starts_s:.1f}".removesuffix(".0")
        self.title.setText(self.tr("From {} s on").format(second))

    @Slot()
    def _accept(self) -> None:
        if not self._accept_button.isEnabled():
            return
        self.chosen.emit(self._chunk, self.text.toPlainText().strip())
        self.accept()
