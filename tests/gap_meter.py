"""How long the window's thread stands still."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Qt, QTimer, Slot


class GapMeter(QObject):
    """How long the event loop's thread computed between two turns of the loop, in seconds.

    Its processor time, not the clock's: on a busy machine a thread waits for its turn as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self._before = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin to measure."""
        self._before = time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        """End it."""
        self._timer.stop()

    @Slot()
    def _tick(self) -> None:
        now = time.thread_time()
        self.gaps.append(now - self._before)
        self._before = now
