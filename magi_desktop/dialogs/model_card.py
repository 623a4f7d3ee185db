"""One model in the list: what it is, whether it is here, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QToolButton, QWidget

from magi_desktop.dialogs.machine import download_text, verdict
from magi_desktop.dialogs.task_box import TaskBox
from magi_desktop.state.model_words import size_text
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    flowing_label,
    icon_button,
    line_label,
    push_button,
    set_role,
)
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_engine.install.status import ModelState, ModelStatus
from magi_engine.install.tasks import Download, Make, ShrinkText, Verify
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.prospects import Prospect

_BOTTOM = Qt.AlignmentFlag.AlignBottom


class ModelCard(QFrame):
    """One model.

    Signals:
        use_wanted: the name of the model, to make videos with it.
        download_wanted: the name of the model, to get what is missing of it.
    """

    use_wanted = Signal(str)
    download_wanted = Signal(str)

    def __init__(self, models: Models, status: ModelStatus, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._models, self._status = models, status
        self._facts: MachineFacts | None = None
        self._prospect: Prospect | None = None
        self._in_use = False
        entry = status.entry
        self.name = entry.name
        self.state_label = QLabel(self)
        self.fit_label = flowing_label("", "caption", self)
        self.fit_label.setToolTip(translated(entry.hardware))
        self.fit_label.hide()
        self.detail = flowing_label("", "caption", self)
        self.problem_label = flowing_label("", "error", self)
        self.box = TaskBox(models.tasks, entry.name, entry.title, self)
        self.main_button = push_button("", "", self)
        self.main_button.clicked.connect(self._do_main)
        self.more_button = self._make_menu()
        self._lay_out()
        models.tasks.changed.connect(self._show)

    def _make_menu(self) -> QToolButton:
        title = self._status.entry.title
        button = icon_button(
            "more",
            self.tr("More about {}").format(title),
            self.tr("Check its files, or move it to the bin."),
            self,
        )
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        do, name = self._models.tasks.do, self.name
        self.verify_action: QAction = menu.addAction(
            self.tr("Check the files"), lambda: do(Verify(name))
        )
        self.shrink_action: QAction = menu.addAction(
            self.tr("Make the text encoder small"), lambda: do(ShrinkText(name))
        )
        self.make_action: QAction = menu.addAction(self.tr("Make an fp8 copy"), self._make_copy)
        self.remove_action: QAction = menu.addAction("", lambda: self._models.remove(name))
        button.setMenu(menu)
        return button

    def _lay_out(self) -> None:
        entry = self._status.entry
        name = line_label(entry.title, "heading", self)
        vbox(self, t.SPACE_1, (t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_3)).add(
            hbox(spacing=t.SPACE_2).add(name, STRETCH, self.state_label),
            hbox(spacing=t.SPACE_2).add(
                (
                    vbox(spacing=2).add(
                        flowing_label(translated(entry.purpose), "muted", self),
                        self.fit_label,
                        self.detail,
                        self.problem_label,
                        STRETCH,
                    ),
                    1,
                ),
                t.SPACE_2,
                (self.more_button, 0, _BOTTOM),
                (self.main_button, 0, _BOTTOM),
            ),
            self.box,
        )

    def show_status(self, status: ModelStatus, in_use: bool, removable_bytes: int) -> None:
        """Say whether it is here, and offer what can be done.

        Args:
            removable_bytes: what goes if it is removed.
        """
        self._status, self._in_use = status, in_use
        hint = self.tr("Remove ({})").format(size_text(removable_bytes))
        if not removable_bytes:
            hint = self.tr("Remove from the list")
        self.remove_action.setText(hint)
        can_go = bool(removable_bytes) and bool(status.here_bytes)
        own = status.entry.like is not None
        self.remove_action.setVisible((can_go or own) and not in_use)
        self._show()

    def show_prospect(self, prospect: Prospect, facts: MachineFacts) -> None:
        """Say whether four seconds of its usual size would fit, with the numbers."""
        self._facts, self._prospect = facts, prospect
        role, sentence = verdict(prospect.plan, facts)
        set_role(self.fit_label, role)
        self.fit_label.setText(sentence)
        self.fit_label.show()
        self._show()

    @Slot()
    def _show(self) -> None:
        status = self._status
        busy = self._models.tasks.item(self.name) is not None
        self._show_state(status, busy)
        role, text = self._detail(status)
        set_role(self.detail, role)
        self.detail.setText(text)
        self.detail.setVisible(bool(text) and not busy)
        problem = self._models.tasks.problems.get(self.name)
        self.problem_label.setText("" if problem is None else translated(problem.error))
        self.problem_label.setVisible(problem is not None)
        verb, hint = self._main_words(status)
        if problem is not None:
            verb, hint = self.tr("Try again"), self.tr("Goes on where it stopped.")
        self.main_button.setText(verb)
        self.main_button.setToolTip(hint)
        self.main_button.setAccessibleName(f"{verb}: {status.entry.title}")
        self.main_button.setVisible(bool(verb) and not busy)
        here = bool(status.here_bytes) and not status.entry.ships
        self.verify_action.setVisible(here)
        self.shrink_action.setVisible(self.name in self._models.shrinkable)
        self.make_action.setVisible(self._copy() is not None)
        some = any(action.isVisible() for action in self.more_button.menu().actions())
        self.more_button.setVisible(some and not busy)

    def _show_state(self, status: ModelStatus, busy: bool) -> None:
        role, text = {
            ModelState.READY: ("success", self.tr("Ready")),
            ModelState.PARTLY: ("warning", self.tr("Partly here")),
            ModelState.ABSENT: ("muted", self.tr("Not downloaded")),
            ModelState.TO_MAKE: ("muted", self.tr("Not made yet")),
            ModelState.UNCHECKED: ("warning", self.tr("Not checked yet")),
            ModelState.DAMAGED: ("error", self.tr("Damaged")),
        }[status.state]
        if status.state is ModelState.ABSENT and status.entry.folder is not None:
            role, text = "warning", self.tr("Folder not found")
        if self._in_use and status.state is ModelState.READY:
            text = self.tr("In use")
        if status.here_bytes:
            text = f"{text}  ·  {size_text(status.here_bytes)}"
        set_role(self.state_label, role)
        self.state_label.setText(text)
        # What is under way says more.
        self.state_label.setVisible(status.state is ModelState.READY or not busy)

    def _detail(self, status: ModelStatus) -> tuple[str, str]:
        if status.detail and status.state is not ModelState.READY:
            role = "error" if status.state is ModelState.DAMAGED else "muted"
            return role, translated(status.detail)
        if status.state is ModelState.UNCHECKED:
            return "muted", self.tr("Its files are here; nobody has checked them yet.")
        making = None if self._prospect is None else self._prospect.quantization
        return download_text(status, self._facts, making)

    def _main_words(self, status: ModelStatus) -> tuple[str, str]:
        """What the main button says, and its hint; empty: there is nothing to do."""
        match status.state:
            case ModelState.READY:
                use = self.tr("Use"), self.tr("Make videos with this model.")
                return ("", "") if self._in_use else use
            case ModelState.ABSENT | ModelState.DAMAGED if not status.missing_bytes:
                again = self.tr("Checks the files once more, such as when they were replaced.")
                there = status.state is ModelState.DAMAGED
                return (self.tr("Check again"), again) if there else ("", "")
            case ModelState.UNCHECKED:
                return self.tr("Check"), self.tr("Reads its files once; then it can be used.")
            case ModelState.ABSENT:
                return self.tr("Download"), self.tr("Gets its files; can be paused at any time.")
            case ModelState.PARTLY:
                return self.tr("Download the rest"), self.tr("Goes on where it stopped.")
            case ModelState.DAMAGED:
                return self.tr("Repair"), self.tr("Downloads only what is damaged.")
            case ModelState.TO_MAKE:
                return self.tr("Make"), self.tr("Quantises it on this computer.")

    @Slot()
    def _do_main(self) -> None:
        tasks = self._models.tasks
        problem = tasks.problems.get(self.name)
        if problem is not None and not isinstance(problem.task, Download):
            tasks.do(problem.task)
        elif self._status.state is ModelState.READY and problem is None:
            self.use_wanted.emit(self.name)
        elif self._status.state is ModelState.UNCHECKED or (
            self._status.state is ModelState.DAMAGED and not self._status.missing_bytes
        ):
            tasks.do(Verify(self.name))
        elif self._status.state is ModelState.TO_MAKE:
            tasks.do(Make(self.name))
        else:
            self.download_wanted.emit(self.name)

    def _copy(self) -> str | None:
        """The model that can be made of this one, but has not been."""
        if self._status.state is not ModelState.READY:
            return None
        to_make = (s.entry for s in self._models.statuses if s.state is ModelState.TO_MAKE)
        return next((entry.name for entry in to_make if entry.made_from == self.name), None)

    @Slot()
    def _make_copy(self) -> None:
        copy = self._copy()
        if copy is not None:
            self._models.tasks.do(Make(copy))
