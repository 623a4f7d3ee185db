"""Tasks about models in a process of their own, so that its libraries stay out of this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from magi_engine.errors import EngineDiedError
from magi_engine.install.tasks import TaskCancelled, TaskEvent, TaskFailed, Work
from magi_engine.runtime.process.worker import Run, Worker

_MODULE = "magi_engine.install.child"
_PATIENCE_S = 3.0
"""How long a cancelled task may take to its end before its process is killed: nothing is lost."""


class InstallProcess:
    """Does one task at a time, and questions beside it, in a process that ends with them.

    All methods may be called from any thread. The arguments are those of
    :class:`magi_engine.runtime.process.worker.Worker`.
    """

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self._worker = Worker(
            _MODULE,
            models_dir,
            cache_dir,
            log_file,
            lasting=False,
            end_s=0.0,
            patience_s=_PATIENCE_S,
        )

    def run(self, work: Work) -> InstallRun:
        """Work to be done while the returned run is iterated; commands count from this call on."""
        return InstallRun(self._worker.run(work))

    def close(self) -> None:
        """End the process, and what is under way with it; what has come is kept."""
        self._worker.close()


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
