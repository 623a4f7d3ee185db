"""Where the tasks that get models onto this machine meet Qt."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Protocol

from PySide6.QtCore import QObject, QThread, Signal

from magi_engine.install.tasks import TaskEvent, Work
from magi_engine.runtime.control import Command

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT_MS = 20_000


class InstallerLike(Protocol):
    """What does the tasks: in a child process, or elsewhere."""

    def run(self, task: Work) -> Iterator[TaskEvent]: ...

    def control(self, command: Command) -> None: ...

    def close(self) -> None: ...


class InstallThread(QThread):
    """Iterates the events of one task after the other and emits them.

    It starts with the first task: most sessions have none.

    Signals:
        happened: every event of the task of the latest ``perform``.
    """

    happened = Signal(object)

    def __init__(self, installer: InstallerLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._installer = installer
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def perform(self, task: Work) -> None:
        """Begin a task; commands count from this call on. The one before has to be over."""
        events = self._installer.run(task)
        self._work.put(lambda: self._iterate(events))
        if not self.isRunning():
            self.start()

    def control(self, command: Command) -> None:
        """Tell the task of the latest ``perform`` something."""
        self._installer.control(command)

    def close(self) -> None:
        """End the thread and the installer. A task under way should have been cancelled before."""
        self._work.put(None)
        if self.isRunning() and not self.wait(_CLOSE_TIMEOUT_MS):
            logger.error("the installer did not end in time")

    def run(self) -> None:
        """The thread's work: not to be called."""
        try:
            while (work := self._work.get()) is not None:
                work()
        finally:
            self._installer.close()

    def _iterate(self, events: Iterator[TaskEvent]) -> None:
        for event in events:
            self.happened.emit(event)
