"""A sheet that asks for something, has it looked at, and stays until it was found to be good."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QFormLayout,
    QLabel,
    QWidget,
)

from magi_desktop.state.asking import Asker
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import flowing_label, name_control, progress_bar, push_button
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_engine.errors import MagiError
from magi_engine.install.tasks import Question, TaskDone

_WIDTH = 520


class QuestionDialog(Sheet):
    """Heading, words, fields; then what is wrong, or that it is being looked at; two buttons."""

    def __init__(self, asker: Asker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.asker = asker
        self._asked = False
        """Else the asker is at something that was asked before this was opened."""
        self.fields: tuple[QWidget, ...] = ()
        self.form = QFormLayout()
        self.problem = flowing_label("", "error", self)
        self.busy = progress_bar(self.tr("Looking at what is there…"), self)
        self.busy.setFixedHeight(t.SPACE_1 + 2)
        self.cancel_button = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        self.cancel_button.clicked.connect(self.reject)
        self.accept_button = push_button("", "", self, "primary")
        self.accept_button.clicked.connect(self.submit)
        self.accept_button.setDefault(True)  # Enter in a field presses it ...
        self.cancel_button.setAutoDefault(True)  # ... and on Cancel, that
        asker.answered.connect(self._answered)
        asker.failed.connect(self._failed)
        asker.ended.connect(self._show)

    def fill(self, title: str, words: str, verb: str, hint: str) -> None:
        """Lay it out, once the form has its fields.

        Args:
            verb, hint: what the button says, and what it does.
        """
        self.setWindowTitle(title)
        self.accept_button.setText(verb)
        name_control(self.accept_button, verb, hint)
        self.form.setHorizontalSpacing(t.SPACE_3)
        self.form.setVerticalSpacing(t.SPACE_3)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            flowing_label(title, "title", self),
            flowing_label(words, "muted", self),
            t.SPACE_1,
            self.form,
            self.problem,
            self.busy,
            STRETCH,
            t.SPACE_2,
            hbox(spacing=t.SPACE_2).add(STRETCH, self.cancel_button, self.accept_button),
        )
        self.setMinimumWidth(_WIDTH)
        self._show()
        self.fields[0].setFocus()

    def add_field(self, label: str, *widgets: QWidget) -> None:
        """A line of the form; of several widgets the first grows and is meant by the label."""
        line = hbox(spacing=t.SPACE_2).add((widgets[0], 1), *widgets[1:])
        name = QLabel(label, self)
        name.setBuddy(widgets[0])
        name.setMinimumHeight(t.CONTROL_HEIGHT)
        self.form.addRow(name, line)
        self.fields += widgets

    def ask(self, task: Question) -> None:
        """Have it done; the sheet closes if that goes well."""
        self.problem.clear()
        self._asked = not self.asker.busy
        self.asker.ask(task)
        self._show()

    @Slot()
    def submit(self) -> None:
        """Turn the fields into a question."""
        raise NotImplementedError

    def answer(self, done: TaskDone) -> None:
        """It went well."""
        raise NotImplementedError

    @Slot()
    def reject(self) -> None:
        """Give up what is under way, too."""
        self.asker.cancel()
        super().reject()

    @Slot(object)
    def _answered(self, done: TaskDone) -> None:
        if self._asked:
            self.answer(done)
            self.accept()

    @Slot(object)
    def _failed(self, error: MagiError) -> None:
        if self._asked:
            self.problem.setText(translated(error))
            self._show()
            self.fields[0].setFocus()

    @Slot()
    def _show(self) -> None:
        self.busy.setVisible(self.asker.busy)
        self.problem.setVisible(bool(self.problem.text()))
        for field in (*self.fields, self.accept_button):
            field.setEnabled(not self.asker.busy)
