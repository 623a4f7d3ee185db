"""One quick question to the part that gets models: while a long task runs it need not wait."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop.install_thread import InstallerLike, InstallThread
from magi_engine.install.tasks import Question, TaskCancelled, TaskDone, TaskEvent, TaskFailed
from magi_engine.runtime.process.control import Cancel


class Asker(QObject):
    """Asks one thing at a time. All methods but ``close`` return at once.

    Args:
        installer: the one that does the long tasks as well.

    Signals:
        answered: the TaskDone.
        failed: the MagiError.
        ended: the question is over, in whichever way.
    """

    answered = Signal(object)
    failed = Signal(object)
    ended = Signal()

    def __init__(self, installer: InstallerLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = InstallThread(installer, self)
        self._thread.happened.connect(self._take)
        self.busy = False

    def ask(self, task: Question) -> None:
        """Begin, unless a question is under way."""
        if not self.busy:
            self.busy = True
            self._thread.perform(task)

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        if self.busy:
            self._thread.control(Cancel())

    def close(self) -> None:
        """Stop in order; blocks for a moment."""
        self.cancel()
        self._thread.finish()

    @Slot(object)
    def _take(self, event: TaskEvent) -> None:
        if not isinstance(event, TaskDone | TaskFailed | TaskCancelled):
            return
        self.busy = False
        if isinstance(event, TaskDone):
            self.answered.emit(event)
        elif isinstance(event, TaskFailed):
            self.failed.emit(event.error)
        self.ended.emit()
