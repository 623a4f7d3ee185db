"""A task of the line: how far it is, and pausing or cancelling it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QWidget

from magi_desktop.state.model_words import figures, files_text, fraction, headline
from magi_desktop.state.task_line import TaskLine, TaskState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import (
    ElidedLabel,
    line_label,
    progress_bar,
    push_button,
    show_fraction,
)
from magi_desktop.widgets.layout import STRETCH, hbox, vbox


class TaskBox(QWidget):
    """Hidden unless something is in line about its subject.

    Args:
        subject: what the task is about: see ``subject_of``.
        title: that, for people.
    """

    def __init__(self, tasks: TaskLine, subject: str, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._tasks, self._subject = tasks, subject
        self.headline = line_label("", "", self)
        self.figures = line_label("", "muted", self)
        self.bar = progress_bar(self.tr("Progress of {}").format(title), self)
        self.files = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self.files.setProperty("role", "caption")
        self.pause_button = push_button(self.tr("Pause"), "", self)
        self.pause_button.clicked.connect(self._toggle)
        self.cancel_button = push_button(
            self.tr("Cancel"),
            self.tr("Stops; what has come so far is kept for another time."),
            self,
            "quiet",
        )
        self.cancel_button.clicked.connect(lambda: self._tasks.cancel(self._subject))
        self.cancel_button.setAccessibleName(self.tr("Cancel: {}").format(title))
        self._title = title
        vbox(self, t.SPACE_1, (0, t.SPACE_2, 0, 0)).add(
            hbox(spacing=t.SPACE_3).add(self.headline, STRETCH, self.figures),
            self.bar,
            hbox(spacing=t.SPACE_2).add((self.files, 1), self.cancel_button, self.pause_button),
        )
        tasks.changed.connect(self._show)
        tasks.progressed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        item = self._tasks.item(self._subject)
        self.setVisible(item is not None)
        if item is None:
            return
        self.headline.setText(headline(item))
        self.figures.setText(figures(item))
        self.files.set_text(files_text(item))
        show_fraction(self.bar, fraction(item.progress), item.state is TaskState.RUNNING)
        paused = item.state is TaskState.PAUSED
        verb = self.tr("Resume") if paused else self.tr("Pause")
        self.pause_button.setText(verb)
        self.pause_button.setAccessibleName(f"{verb}: {self._title}")
        self.pause_button.setToolTip(
            self.tr("Goes on where it stopped.")
            if paused
            else self.tr("Stands still, also after a restart, until it is resumed.")
        )
        for button in (self.pause_button, self.cancel_button):
            button.setEnabled(item.state is not TaskState.STOPPING)

    @Slot()
    def _toggle(self) -> None:
        item = self._tasks.item(self._subject)
        if item is not None and item.state is TaskState.PAUSED:
            self._tasks.resume(self._subject)
        else:
            self._tasks.pause(self._subject)
