"""Work off the UI thread: files, thumbnails, databases. Results come back on the UI thread."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import shiboken6
from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QObject,
    QRunnable,
    Qt,
    QThread,
    QThreadPool,
    Signal,
    Slot,
)

logger = logging.getLogger(__name__)

_FINISH_TIMEOUT_MS = 20_000

_Result = TypeVar("_Result")
_Ends = tuple[
    Callable[[_Result], object] | None, Callable[[Exception], None] | None, QObject
]  # what gets the result, what gets the exception, and for whom


class WorkThread(QThread):
    """Does one piece of work after the other, in order; what one of them raises goes to the log."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def do(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def finish(self) -> None:
        """End the thread, which is made sure to have nothing long to do; blocks until then."""
        self._work.put(None)
        if self.isRunning() and not self.wait(_FINISH_TIMEOUT_MS):
            logger.error("%s did not end in time", type(self).__name__)

    def run(self) -> None:
        """The thread's work: not to be called."""
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:
                logger.exception("something a thread had to do failed")


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
        self._ends: _Ends[_Result] | None = (then, failed, owner)
        self.cancelled = False
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def owner(self) -> QObject | None:
        """For whom it is; None once it has delivered."""
        return None if self._ends is None else self._ends[2]

    def cancel(self) -> None:
        """Forget the result. Work that has not begun is left out; work under way runs on."""
        self.cancelled = True

    @Slot(object, object)
    def _deliver(self, result: _Result, error: Exception | None) -> None:
        _under_way.discard(self)
        # The thread may let go of this object later than we do; were it the last to hold the
        # owner, a widget would be destroyed there.
        ends, self._ends = self._ends, None
        assert ends is not None  # a task delivers once
        then, failed, owner = ends
        if self.cancelled or not shiboken6.isValid(owner):
            return
        if error is None:
            if then is not None:
                then(result)
        elif failed is not None:
            failed(error)
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
        del self._work  # what it holds is let go before anybody hears of the result
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
        pool: where to run; None: with everybody else.
    """
    task: Task[_Result] = Task(then, failed, owner)
    _under_way.add(task)
    (pool or QThreadPool.globalInstance()).start(_Runnable(task, lambda: function(*args)))
    return task


def under_way(owner: QObject) -> set[Task[Any]]:
    """What has not been delivered to an object; to be called on the UI thread."""
    return {task for task in _under_way if task.owner is owner}


class Pool(QThreadPool):
    """Threads of an object's own; one of them keeps the order of its tasks."""

    def __init__(self, owner: QObject, threads: int = 1) -> None:
        super().__init__(owner)
        self.setMaxThreadCount(threads)

    def run(
        self,
        function: Callable[..., _Result],
        *args: Any,
        then: Callable[[_Result], object] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Task[_Result]:
        """As the function ``run``, for the object whose threads they are."""
        owner = self.parent()
        assert owner is not None
        return run(function, *args, then=then, failed=failed, owner=owner, pool=self)

    def finish(self, timeout_ms: int) -> None:
        """Wait for what is under way, and hand over what came of it: where the program ends, no
        loop of events does."""
        self.waitForDone(timeout_ms)
        owner = self.parent()
        assert owner is not None
        for task in under_way(owner):
            QCoreApplication.sendPostedEvents(task, QEvent.Type.MetaCall)
