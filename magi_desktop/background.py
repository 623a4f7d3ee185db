"""Work off the UI thread: files, thumbnails, databases. Results come back on the UI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal, Slot

from magi_desktop.engine_words import translated_error
from magi_engine.errors import MagiError

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class Task(QObject, Generic[_Result]):
    """One piece of work under way. Lives on the UI thread."""

    _done = Signal(object, object)

    def __init__(
        self,
        then: Callable[[_Result], object] | None,
        failed: Callable[[Exception], None] | None,
        owner: QObject,
    ) -> None:
        super().__init__()
        self._then, self._failed, self._owner = then, failed, owner
        self.cancelled = False
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def cancel(self) -> None:
        """Forget the result. Work that has not begun is left out; work under way runs on."""
        self.cancelled = True

    @Slot(object, object)
    def _deliver(self, result: _Result, error: Exception | None) -> None:
        _under_way.discard(self)
        if self.cancelled or not shiboken6.isValid(self._owner):
            return
        if isinstance(error, MagiError):
            error = translated_error(error)
        if error is None:
            if self._then is not None:
                self._then(result)
        elif self._failed is not None:
            self._failed(error)
        else:
            logger.error("a background task failed", exc_info=error)


_under_way: set[Task] = set()
"""Keeps tasks alive until they have delivered; touched on the UI thread only."""


class _Runnable(QRunnable):
    def __init__(self, task: Task[_Result], work: Callable[[], _Result]) -> None:
        super().__init__()
        self._task, self._work = task, work

    def run(self) -> None:
        result, error = None, None
        if not self._task.cancelled:
            try:
                result = self._work()
            except Exception as caught:  # whatever went wrong is told on the UI thread
                error = caught
        if shiboken6.isValid(self._task):  # not while the program is closing down
            self._task._done.emit(result, error)


def run(
    function: Callable[..., _Result],
    *args: Any,
    then: Callable[[_Result], object] | None = None,
    failed: Callable[[Exception], None] | None = None,
    owner: QObject,
    pool: QThreadPool | None = None,
) -> Task[_Result]:
    """Call ``function(*args)`` in a thread; to be called on the UI thread.

    Args:
        then: gets the result, on the UI thread.
        failed: gets the exception, on the UI thread; without it, it goes to the log.
        owner: nothing is called any more once this object is gone.
        pool: where to run; a pool of one thread keeps the order of its tasks.
    """
    task: Task[_Result] = Task(then, failed, owner)
    _under_way.add(task)
    (pool or QThreadPool.globalInstance()).start(_Runnable(task, lambda: function(*args)))
    return task
