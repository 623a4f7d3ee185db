"""The button everything leads to, at the foot of the inputs."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from magi_desktop.state.jobs import JobState
from magi_desktop.state.queue import JobQueue
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon

_COPIES = (2, 4, 8)


class _OnceButton(QPushButton):
    """The second press of a double click does nothing."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()


class GenerateBar(QFrame):
    """Generate; while a video is being made, the same button lines up the next one.

    Signals:
        generate_clicked: how many videos, with a seed each.
        editing_left: a queued video that is being edited is to stay as it was.
    """

    generate_clicked = Signal(int)
    editing_left = Signal()

    def __init__(self, job: JobState, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job, self._queue = job, queue
        self.button = _OnceButton(self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumHeight(t.CONTROL_HEIGHT + t.SPACE_2)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self.generate_once)
        self._more = QPushButton(self)
        self._more.setProperty("kind", "primary")
        self._more.setFixedSize(t.CONTROL_HEIGHT + t.SPACE_2, t.CONTROL_HEIGHT + t.SPACE_2)
        self._more.setStyleSheet("padding: 0;")
        self._more.setToolTip(self.tr("Make several variations, each with a seed of its own."))
        self._more.setAccessibleName(self.tr("Several variations"))
        bind_icon(self._more, "chevron-down", "text_on_accent")
        self._more.setMenu(self._menu())
        self.leave_button = QPushButton(self)
        self.leave_button.setFixedSize(t.CONTROL_HEIGHT + t.SPACE_2, t.CONTROL_HEIGHT + t.SPACE_2)
        self.leave_button.setStyleSheet("padding: 0;")
        self.leave_button.setToolTip(self.tr("Leave the queued video as it was."))
        self.leave_button.setAccessibleName(self.tr("Leave it as it was"))
        bind_icon(self.leave_button, "close")
        self.leave_button.clicked.connect(self.editing_left)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, t.SPACE_3, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.button)
        row.addWidget(self._more)
        row.addWidget(self.leave_button)
        job.changed.connect(self._show)
        queue.changed.connect(self._show)
        self._show()

    @Slot()
    def generate_once(self) -> None:
        """As if the button had been clicked."""
        self.generate_clicked.emit(1)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for count in _COPIES:
            action = QAction(self.tr("{} variations").format(count), menu)
            action.setData(count)
            menu.addAction(action)
        menu.triggered.connect(self._several)
        return menu

    @Slot(QAction)
    def _several(self, action: QAction) -> None:
        self.generate_clicked.emit(action.data())

    @Slot()
    def _show(self) -> None:
        editing = self._queue.edited is not None
        if editing:
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
        self._more.setVisible(not editing)
        self.leave_button.setVisible(editing)
