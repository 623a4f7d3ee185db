"""A folder or file that is being looked through for models, or could not be used."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QWidget

from magi_desktop.dialogs.task_box import TaskBox
from magi_desktop.state.task_line import TaskLine, subject_of
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import flowing_label, line_label, push_button
from magi_desktop.widgets.layout import hbox, vbox
from magi_engine.install.tasks import Import


class ImportCard(QFrame):
    """One import: its progress, then nothing, or what is wrong with the folder."""

    def __init__(self, tasks: TaskLine, task: Import, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._tasks, self._task = tasks, task
        name = task.path.name
        title = line_label(name, "heading", self)
        self.problem_label = flowing_label("", "error", self)
        self.again_button = push_button(
            self.tr("Try again"), self.tr("Looks at the same place once more."), self
        )
        self.again_button.clicked.connect(lambda: self._tasks.do(self._task))
        self.hide_button = push_button(
            self.tr("Hide"), self.tr("Takes this message away."), self, "quiet"
        )
        self.hide_button.clicked.connect(lambda: self._tasks.forget_problem(subject_of(self._task)))
        self.box = TaskBox(tasks, subject_of(task), name, self)
        vbox(self, t.SPACE_1, (t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_3)).add(
            title,
            flowing_label(str(task.path.parent), "caption", self),
            hbox(spacing=t.SPACE_2).add(
                (self.problem_label, 1), self.hide_button, self.again_button
            ),
            self.box,
        )
        tasks.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        problem = self._tasks.problems.get(subject_of(self._task))
        self.problem_label.setText("" if problem is None else translated(problem.error))
        for widget in (self.problem_label, self.again_button, self.hide_button):
            widget.setVisible(problem is not None)
