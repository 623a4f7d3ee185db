"""Work for the window in small steps."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot


class Gradually(QObject):
    """Takes one step in each turn of the event loop: between them the window answers.

    Args:
        step: does the next piece of the work; returns whether there may be more.
    """

    def __init__(self, step: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._step = step
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._go)

    def start(self) -> None:
        """Begin, or begin again; not at once, but in the next turn."""
        self._timer.start()

    @Slot()
    def _go(self) -> None:
        if self._step():
            self._timer.start()
