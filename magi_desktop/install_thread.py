"""Where the tasks that get models onto this machine meet Qt."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from magi_desktop.background import WorkThread
from magi_engine.install.tasks import TaskEvent, TaskFailed, Work
from magi_engine.runtime.process.control import Command
from magi_engine.runtime.process.errors import named_error, without_traceback

logger = logging.getLogger(__name__)


class RunLike(Protocol):
    """A piece of work: iterating it has it done."""

    def __iter__(self) -> Iterator[TaskEvent]: ...

    def control(self, command: Command) -> None: ...


class InstallerLike(Protocol):
    """What does the work: in a child process, or elsewhere."""

    def run(self, work: Work) -> RunLike: ...

    def close(self) -> None: ...


class InstallThread(WorkThread):
    """Iterates the events of one piece of work after the other and emits them.

    It starts with the first: most sessions have none.

    Signals:
        happened: every event of the work of the latest ``perform``.
    """

    happened = Signal(object)

    def __init__(self, installer: InstallerLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._installer = installer
        self._run: RunLike | None = None

    def perform(self, work: Work) -> None:
        """Begin; commands count from this call on. What was begun before has to be over."""
        self._run = self._installer.run(work)
        self.do(partial(self._iterate, self._run))
        if not self.isRunning():
            self.start()

    def control(self, command: Command) -> None:
        """Tell the work of the latest ``perform`` something."""
        if self._run is not None:
            self._run.control(command)

    def _iterate(self, run: RunLike) -> None:
        try:
            for event in run:
                self.happened.emit(event)
        except Exception as error:
            logger.exception("the installer failed")
            self.happened.emit(TaskFailed(without_traceback(named_error(error))))
