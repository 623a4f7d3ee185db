"""The button everything leads to, at the foot of the inputs."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QFrame, QMenu, QPushButton, QSizePolicy, QWidget

from magi_desktop.state.draft import Draft
from magi_desktop.state.jobs import JobState
from magi_desktop.state.model_words import headline, short_figures, size_text
from magi_desktop.state.models import Models
from magi_desktop.state.queue import JobQueue
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.video_actions import VARIATIONS
from magi_desktop.widgets.controls import push_button
from magi_desktop.widgets.layout import hbox
from magi_engine.install.status import ModelState, ModelStatus

_COPIES = (VARIATIONS, 2, 8)
"""What the arrow offers, the usual number first."""


class _OnceButton(QPushButton):
    """The second press of a double click does nothing."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()


class GenerateBar(QFrame):
    """Generate; while a video is being made, the same button lines up the next one.

    Signals:
        generate_clicked: how many videos, with a seed each.
        audition_clicked: first seconds are wanted, to choose among.
        editing_left: a queued video that is being edited is to stay as it was.
        download_wanted: name of the chosen model, whose files are not here and are wanted.
        models_wanted: name of the chosen model, which is to be shown among all models.
    """

    generate_clicked = Signal(int)
    audition_clicked = Signal()
    editing_left = Signal()
    download_wanted = Signal(str)
    models_wanted = Signal(str)

    def __init__(
        self,
        draft: Draft,
        job: JobState,
        queue: JobQueue,
        models: Models,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._draft, self._job, self._queue, self._models = draft, job, queue, models
        self.button = _OnceButton(self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumHeight(t.CONTROL_HEIGHT + t.SPACE_2)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self.generate_once)
        hint = self.tr("Make several variations, each with a seed of its own.")
        self._more = push_button("", hint, self, "primary")
        self._more.setAccessibleName(self.tr("Several variations"))
        bind_icon(self._more, "chevron-down", "text_on_accent")
        self._more.setMenu(self._menu())
        self.leave_button = push_button("", self.tr("Leave the queued video as it was."), self)
        self.leave_button.setAccessibleName(self.tr("Leave it as it was"))
        bind_icon(self.leave_button, "close")
        self.leave_button.clicked.connect(self.editing_left)
        for square in (self._more, self.leave_button):
            square.setFixedSize(t.CONTROL_HEIGHT + t.SPACE_2, t.CONTROL_HEIGHT + t.SPACE_2)
            square.setStyleSheet("padding: 0;")
        hbox(self, 2, (0, t.SPACE_3, 0, 0)).add(self.button, self._more, self.leave_button)
        job.changed.connect(self._show)
        queue.changed.connect(self._show)
        models.changed.connect(self._show)
        models.tasks.changed.connect(self._show)
        models.tasks.progressed.connect(self._show)
        draft.changed.connect(self._follow_draft)
        self._show()

    @Slot()
    def generate_once(self) -> None:
        self.generate(1)

    def generate(self, copies: int) -> None:
        """Ask for videos; where the model is not here, for that first."""
        status = self._missing()
        if status is None:
            self.generate_clicked.emit(copies)
        elif self._is_gettable(status):
            self.download_wanted.emit(status.entry.name)
        else:
            self.models_wanted.emit(status.entry.name)

    def _missing(self) -> ModelStatus | None:
        """What is known of the chosen model, if it cannot be used now."""
        settings = self._draft.settings
        status = None if settings.config_path else self._models.status(settings.model)
        return None if status is None or status.state is ModelState.READY else status

    def _is_gettable(self, status: ModelStatus) -> bool:
        """Whether a download can begin that brings what is missing."""
        name, tasks = status.entry.name, self._models.tasks
        idle = tasks.item(name) is None and name not in tasks.problems
        lacking = status.state in (ModelState.ABSENT, ModelState.PARTLY)
        return idle and lacking and bool(status.missing_bytes)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for count in _COPIES:
            action = QAction(self.tr("%n variation(s)", None, count), menu)
            action.setData(count)
            menu.addAction(action)
        menu.triggered.connect(self._several)
        menu.addSeparator()
        menu.addAction(self.tr("Audition of first seconds…"))
        return menu

    @Slot(QAction)
    def _several(self, action: QAction) -> None:
        if action.data() is None:
            self.audition()
        else:
            self.generate(action.data())

    @Slot()
    def audition(self) -> None:
        """Ask for first seconds; where the model is not here, for that first."""
        if self._missing() is None and self._queue.edited is None:
            self.audition_clicked.emit()
        else:
            self.generate_once()

    @Slot(str)
    def _follow_draft(self, name: str) -> None:
        if name in ("model", "config_path"):
            self._show()

    def _words_for(self, missing: ModelStatus) -> tuple[str, str]:
        """What the button says while the model is not here, and what a press does."""
        item = self._models.tasks.item(missing.entry.name)
        if self._is_gettable(missing):
            size = size_text(missing.missing_bytes)
            hint = self.tr("Gets its files, and can be paused at any time. Then generate.")
            return self.tr("Download model ({})").format(size), hint
        hint = self.tr("Shows it among all models.")
        if item is None:
            return self.tr("Get the model ready…"), hint
        return "  ·  ".join(filter(None, (headline(item), short_figures(item)))), hint

    @Slot()
    def _show(self) -> None:
        editing, missing = self._queue.edited is not None, self._missing()
        if missing is not None:
            text, hint = self._words_for(missing)
        elif editing:
            text = self.tr("Put back in the queue")
            hint = self.tr("Replace the queued video you are editing (Ctrl+Enter).")
        elif self._job.phase.active:
            text = self.tr("Add to queue")
            hint = self.tr("Make this video when the running one is done (Ctrl+Enter).")
        else:
            text, hint = self.tr("Generate"), self.tr("Make this video now (Ctrl+Enter).")
        self.button.setText(text)
        self.button.setToolTip(hint)
        self.button.setAccessibleName(text)
        self._more.setVisible(not editing and missing is None)
        self.leave_button.setVisible(editing)
