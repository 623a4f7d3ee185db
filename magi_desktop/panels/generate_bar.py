"""The button everything leads to, at the foot of the inputs."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from magi_desktop.state.jobs import JobState
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon

_COPIES = (2, 4, 8)


class GenerateBar(QFrame):
    """Generate; while a video is being made, the same button lines up the next one.

    Signals:
        generate_clicked: how many videos, with a seed each.
    """

    generate_clicked = Signal(int)

    def __init__(self, job: JobState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self.button = QPushButton(self)
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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, t.SPACE_3, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.button)
        row.addWidget(self._more)
        job.changed.connect(self._show)
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
        busy = self._job.phase.active
        self.button.setText(self.tr("Add to queue") if busy else self.tr("Generate"))
        self.button.setToolTip(
            self.tr("Make this video when the running one is done (Ctrl+Enter).")
            if busy
            else self.tr("Make this video now (Ctrl+Enter).")
        )
        self.button.setAccessibleName(self.button.text())
