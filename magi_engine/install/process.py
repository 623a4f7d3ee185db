"""Tasks about models in a process of their own, so that its libraries stay out of this one."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from magi_engine.errors import EngineDiedError
from magi_engine.install.tasks import LAST, TaskCancelled, TaskEvent, TaskFailed, Work
from magi_engine.runtime.control import Cancel, Command
from magi_engine.runtime.launch import launch

logger = logging.getLogger(__name__)

MODULE = "magi_engine.install.worker"
_PATIENCE_S = 3.0
"""How long a cancelled task may take to its end before its process is killed: nothing is lost."""
_POLL_S = 0.5
_END_S = 5.0


class InstallProcess:
    """Does one task at a time, each in a process that ends with it.

    All methods may be called from any thread.

    Args:
        models_dir: where downloaded models are; None: the usual place of this system.
        cache_dir: where things are kept that can be made again; None: the usual place.
        log_file: the processes append their log; None: only errors, to standard error.
    """

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self._models_dir, self._cache_dir, self._log_file = models_dir, cache_dir, log_file
        self._run = _Run()

    def run(self, task: Work) -> Iterator[TaskEvent]:
        """Do a task while the returned generator is pulled; commands count from this call on.

        If its process dies, the task has failed. Closing the generator ends it.
        """
        run = self._run = _Run()
        return self._events(run, task)

    def control(self, command: Command) -> None:
        """Tell the task of the latest ``run`` something; from any thread, at any time."""
        self._run.control(command)

    def close(self) -> None:
        """End the task under way, if there is one; what it has got is kept."""
        self._run.kill()

    def _events(self, run: _Run, task: Work) -> Iterator[TaskEvent]:
        if run.cancelled:
            yield TaskCancelled()
            return
        try:
            with _opened(self._log_file) as errors:
                process, pipe = launch(
                    _text(self._models_dir),
                    _text(self._cache_dir),
                    "INFO" if self._log_file else "ERROR",
                    errors,
                    MODULE,
                )
        except OSError:
            logger.exception("the process for a task does not start")
            yield TaskFailed(
                EngineDiedError(
                    "The engine could not be started.", "Close other programs, then try again."
                )
            )
            return
        try:
            run.begin(process, pipe, task)
            while True:
                event = run.next_event()
                yield event
                if isinstance(event, LAST):
                    break
        finally:
            run.see_off()


class _Run:
    """One task and its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._waiting: list[Command] = []
        self._cancelled_at: float | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was told to stop."""
        return self._cancelled_at is not None

    def begin(self, process: subprocess.Popen[bytes], pipe: Connection, task: Work) -> None:
        """Hand over the task, with all that was said before."""
        with self._lock, contextlib.suppress(OSError):
            self._process, self._pipe = process, pipe
            pipe.send(task)
            for command in self._waiting:
                pipe.send(command)

    def control(self, command: Command) -> None:
        """Pass it on, now or as soon as there is a process."""
        with self._lock, contextlib.suppress(OSError):
            if isinstance(command, Cancel) and self._cancelled_at is None:
                self._cancelled_at = time.monotonic()
            if self._pipe is None:
                self._waiting.append(command)
            else:
                self._pipe.send(command)

    def next_event(self) -> TaskEvent:
        """Wait for it; if the process dies or does not obey, that is the last one."""
        assert self._pipe is not None
        try:
            while not self._pipe.poll(_POLL_S):
                at = self._cancelled_at
                if at is not None and time.monotonic() - at > _PATIENCE_S:
                    self.kill()
            return self._pipe.recv()
        except (EOFError, OSError):
            if self._cancelled_at is not None:
                return TaskCancelled()
            return TaskFailed(
                EngineDiedError(
                    "The engine has stopped unexpectedly.",
                    "Try again; if it happens again, report it with the log.",
                )
            )

    def kill(self) -> None:
        """End the process at once, if there is one."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def see_off(self) -> None:
        """Leave no process behind."""
        with self._lock:
            process, pipe, self._pipe = self._process, self._pipe, None
        if process is None or pipe is None:
            return
        pipe.close()  # if it is not over yet, it ends now
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _opened(log_file: Path | None) -> Iterator[IO[bytes] | None]:
    """The log, for the process to append to; it is no reason not to start."""
    if log_file is None:
        yield None
        return
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        file = log_file.open("ab")
    except OSError as error:
        logger.warning("the log %s cannot be written: %s", log_file, error)
        yield None
        return
    with file:
        yield file


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
