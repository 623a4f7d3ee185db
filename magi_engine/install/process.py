"""Tasks about models in a process of their own, so that its libraries stay out of this one."""

from __future__ import annotations

from collections.abc import Iterator

from magi_engine.errors import EngineDiedError
from magi_engine.install.tasks import TaskCancelled, TaskEvent, TaskFailed, Work
from magi_engine.runtime.process.worker import Run, Worker


class InstallProcess(Worker):
    """Does one task at a time, and questions beside it, in a process that ends with them.

    Closing it ends what is under way; what has come is kept. So nothing is lost either if a
    cancelled task is killed for taking longer than ``patience_s``.
    """

    module = "magi_engine.install.child"
    lasting = False
    end_s = 0.0
    patience_s = 3.0

    def run(self, work: Work) -> InstallRun:
        """Work to be done while the returned run is iterated; commands count from this call on."""
        return InstallRun(self.begin(work))


class InstallRun:
    """A task or a question. Iterating it, once, has it done and yields its events.

    If the process dies, it has failed. Closing the iterator cancels it.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.control = run.control

    def __iter__(self) -> Iterator[TaskEvent]:
        try:
            yield from self._run
            if not self._run.over:  # cancelled before it began
                yield TaskCancelled()
        except EngineDiedError as error:
            yield TaskCancelled() if self._run.cancelled else TaskFailed(error)
