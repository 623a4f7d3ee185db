"""Another prompt from a chunk on, while the video is being made."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFormLayout,
    QPlainTextEdit,
    QWidget,
)

from magi_desktop.state.job_words import duration
from magi_desktop.state.jobs import JobState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import line_label, name_control, push_button, text_label
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_desktop.widgets.transitions import transition_box
from magi_engine.runtime.process.control import ChangePrompt

_LINES = 6
"""Of the prompt that can be seen."""


class DirectDialog(Sheet):
    """Asks for a prompt.

    Args:
        job: the running one.
        chunk: the first that is to follow the prompt, from 0; when it has begun meanwhile, the
            next one that has not.

    Signals:
        chosen: a ChangePrompt.
    """

    chosen = Signal(object)

    def __init__(self, job: JobState, chunk: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job, self._chunk = job, chunk
        self.setWindowTitle(self.tr("Direct the video"))
        self.setMinimumWidth(460)
        self.title = line_label("", "heading", self)
        self.text = QPlainTextEdit(job.chunks[min(chunk, len(job.chunks) - 1)].prompt, self)
        name_control(
            self.text,
            self.tr("Prompt from then on"),
            self.tr("What the model is to show from then on."),
        )
        self.text.selectAll()
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(_LINES * self.text.fontMetrics().lineSpacing())
        self.transition = transition_box(self)
        self.cost = text_label("", "caption", self)
        cancel = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        cancel.clicked.connect(self.reject)
        cancel.setAutoDefault(True)  # Enter on it presses it, not the default
        self.at_once = push_button(
            self.tr("At once"),
            self.tr("Start anew what has begun behind the part in work (Ctrl+Shift+Enter)."),
            self,
        )
        self.at_once.clicked.connect(self._choose_at_once)
        self.next = push_button(
            self.tr("Next"),
            self.tr("Use this prompt for what has not begun (Ctrl+Enter)."),
            *(self, "primary"),
        )
        self.next.clicked.connect(self._choose_next)
        self.next.setDefault(True)
        QShortcut(QKeySequence("Ctrl+Return"), self, self.next.click)
        QShortcut(QKeySequence("Ctrl+Shift+Return"), self, self.at_once.click)
        form = QFormLayout()
        form.setSpacing(t.SPACE_3)
        form.addRow(self.tr("&Prompt"), self.text)
        form.addRow(self.tr("&Begins"), self.transition)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            self.title,
            form,
            self.cost,
            hbox(spacing=t.SPACE_2).add(STRETCH, cancel, self.at_once, self.next),
        )
        self.text.setFocus()
        job.changed.connect(self._follow)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        first, at_once = self._job.first_open_chunk, self._job.at_once
        self.next.setEnabled(first is not None)
        if first is None:
            self.title.setText(self.tr("Too late: all of the video has begun"))
        else:
            self._chunk = max(self._chunk, first)
            self.title.setText(self.tr("From {} s on").format(self._second(self._chunk)))
        wins = at_once is not None and at_once.lost_s > 0
        self.at_once.setEnabled(wins)
        if at_once is not None and wins:
            self.cost.setText(
                self.tr(
                    "At once is from {second} s on: what has begun there starts anew, which takes "
                    "about {time} longer."
                ).format(second=self._second(at_once.chunk), time=duration(at_once.lost_s))
            )
        else:
            self.cost.setText(self.tr("What has already begun stays as it is."))

    def _second(self, chunk: int) -> str:
        plan = self._job.plan
        return "" if plan is None else f"{plan.chunk(chunk).starts_s:.1f}".removesuffix(".0")

    @Slot()
    def _choose_next(self) -> None:
        self._choose(at_once=False)

    @Slot()
    def _choose_at_once(self) -> None:
        self._choose(at_once=True)

    def _choose(self, at_once: bool) -> None:
        text = self.text.toPlainText().strip()
        self.chosen.emit(
            ChangePrompt(self._chunk, text, self.transition.currentData(), at_once=at_once)
        )
        self.accept()
