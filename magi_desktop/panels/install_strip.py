"""A download, or another task about models, in the corner of the window."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from magi_desktop.state.model_words import fraction, headline, short_figures, subject_title
from magi_desktop.state.models import Models
from magi_desktop.state.task_line import QueuedTask, TaskState
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    ElidedLabel,
    name_control,
    progress_bar,
    set_role,
    show_fraction,
)
from magi_desktop.widgets.layout import vbox


class InstallStrip(QPushButton):
    """Hidden while nothing is under way and nothing went wrong; a click leads to the models."""

    def __init__(self, models: Models, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.title, self.caption = (
            ElidedLabel(self, Qt.TextElideMode.ElideRight) for _ in range(2)
        )
        self.bar = progress_bar("", self)
        parts = (self.title, self.bar, self.caption)
        for part in parts:
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            part.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        margins = (t.SPACE_3, t.SPACE_2, t.SPACE_3, t.SPACE_2)
        self._column = vbox(self, t.SPACE_1, margins).add(*parts)
        models.changed.connect(self._show)
        models.tasks.changed.connect(self._show)
        models.tasks.progressed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        # A button's own hint knows nothing of what is in it.
        return self._column.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._column.minimumSize()

    @Slot()
    def _show(self) -> None:
        tasks = self._models.tasks
        item = tasks.current
        if item is not None:
            self._show_item(item)
        elif tasks.problems:
            problem = next(iter(tasks.problems.values()))
            title = subject_title(self._models, problem.task)
            self._say(title, translated(problem.error.message), "error")
        self.bar.setVisible(item is not None)
        self.setVisible(item is not None or bool(tasks.problems))

    def _show_item(self, item: QueuedTask) -> None:
        parts = (headline(item), short_figures(item))
        title = subject_title(self._models, item.task)
        self._say(title, "  ·  ".join(part for part in parts if part), "caption")
        show_fraction(self.bar, fraction(item.progress), item.state is TaskState.RUNNING)

    def _say(self, title: str, text: str, role: str) -> None:
        self.title.set_text(title)
        set_role(self.caption, role)
        self.caption.set_text(text)
        name_control(self, f"{title}: {text}", self.tr("Opens the list of models."))
