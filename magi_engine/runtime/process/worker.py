"""A process of this program that does work and reports events, seen from the one that started it.

PyTorch's seconds of importing, its threads and its crashes stay out of the calling process, which
itself never imports it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from magi_engine.errors import EngineDiedError, MagiError
from magi_engine.runtime.process.channel import Channel, Kind, Message
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.process.launch import launch

logger = logging.getLogger(__name__)

_EVENTS_AHEAD = 8
"""Events of a run that are taken in before they are wanted. Then the channel is not read: it fills
up, and the process waits, as it would if its work were pulled."""
_KILL_S = 5.0


@dataclass(frozen=True)
class Answer:
    """The one event of a call: its value, or the MagiError it failed with."""

    value: Any


class Worker:
    """Has work done in a child process, which is started when it is needed.

    All methods may be called from any thread. A process that has died is replaced by the next run.

    Args:
        models_dir: where downloaded models are; None: the usual place of this system.
        cache_dir: where things are kept that can be made again; None: the usual place.
        log_file: the process appends its log and whatever its libraries say when they die;
            None: only errors, to standard error.

    Attributes:
        module: what the process runs; see ``runtime.process.launch``.
        lasting: whether the process stays when it has nothing to do.
        end_s: how long the process may take to end in good order before it is killed.
        card: the only graphics card that the process sees; None: all.
        patience_s: how long a cancelled run may take before its process is killed; None: for ever.
    """

    module: str
    lasting: bool
    end_s: float
    patience_s: float | None = None
    card: int | None = None

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self.models_dir, self.cache_dir, self.log_file = models_dir, cache_dir, log_file
        self.log_level = "INFO" if log_file else "ERROR"
        self.closed = False
        # Guards everything here, in the child and in the runs, and tells of every change.
        self.changed = threading.Condition()
        self._child: _Child | None = None
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Begin starting the process, so that it is warm when it is needed; does not wait.

        If that fails, the next run says so.
        """
        with self.changed, contextlib.suppress(EngineDiedError):
            self.living()

    @property
    def alive(self) -> bool:
        """Whether there is a process, warm or starting."""
        with self.changed:
            return self._child is not None and not self._child.dead

    def begin(self, work: Any) -> Run:
        """Work to be done while the returned run is iterated; commands count from this call on."""
        return Run(self, next(self._numbers), work)

    def call(self, *work: Any) -> Any:
        """Have something answered, and wait for it.

        Raises:
            EngineDiedError: the process has died, or cannot be started.
            MagiError: what went wrong with it.
        """
        (answer,) = self.begin(work)
        if isinstance(answer.value, MagiError):
            raise answer.value
        return answer.value

    def kill(self) -> None:
        """End the process at once, whatever it does; the next run starts another."""
        # Without the lock: who sends something to a process that halts holds it for ever.
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the process for good; every run ends with it. Takes bounded time."""
        with self.changed:
            self.closed = True
            child, self._child = self._child, None
        if child is not None:
            child.end(self.end_s)

    def living(self) -> _Child:
        """The process, started if there is none. The lock is held.

        Raises:
            EngineDiedError: it does not start.
        """
        if self.closed:
            raise EngineDiedError("The program is closing.")
        if self._child is None or self._child.dead or self._child.ending:
            self._child = _Child(self)
        return self._child


class Run:
    """One piece of work. Iterating it, once, has it done and yields its events.

    Attributes:
        cancelled: whether it was told to stop.
        over: whether its last event has come, wanted or not.
        pid: of the process that has the work, or had it; None: none ever had.
    """

    def __init__(self, worker: Worker, number: int, work: Any) -> None:
        self.number, self.work = number, work
        self.over = False
        self.abandoned = False
        """Nobody will take its events any more."""
        self.events: deque[Any] = deque()
        self.pid: int | None = None
        self._worker, self._changed = worker, worker.changed
        self._child: _Child | None = None
        self._waiting: list[Command] = []
        """Commands given before the process had the work."""
        self._cancelled_at: float | None = None

    @property
    def cancelled(self) -> bool:
        return self._cancelled_at is not None

    def control(self, command: Command) -> None:
        """Tell it something; from any thread, at any time."""
        with self._changed:
            if isinstance(command, Cancel) and not self.cancelled:
                self._cancelled_at = time.monotonic()
            if self._child is None:
                self._waiting.append(command)
            else:
                self._child.send(Kind.CONTROL, self.number, command)
            self._changed.notify_all()

    def __iter__(self) -> Generator[Any]:
        """Yields nothing if it is cancelled before the process has the work.

        Raises:
            EngineDiedError: the process has died, cannot be started, or was closed.
        """
        with self._changed:
            child = self._worker.living()
            child.runs[self.number] = self
            self._changed.wait_for(lambda: child.ready or child.dead or self.cancelled)
            if self.cancelled:
                child.forget(self.number)
                return
            self._child, self.pid = child, child.pid
            child.send(Kind.BEGIN, self.number, self.work)
            for command in self._waiting:
                child.send(Kind.CONTROL, self.number, command)
        try:
            while True:
                with self._changed:
                    self._wait(child)
                    if not self.events and self.over:
                        return
                    if not self.events:
                        raise child.error()
                    event = self.events.popleft()
                    self._changed.notify_all()
                yield event
        finally:
            with self._changed:
                self.abandoned = True
                self.events.clear()
                if not self.over:
                    self.control(Cancel())
                self._changed.notify_all()

    def wait_until_over(self, timeout_s: float) -> bool:
        """Wait for the end of a run that is no longer iterated; whether there was one in time."""
        child = self._child
        with self._changed:
            self._changed.wait_for(lambda: self.over or child is None or child.dead, timeout_s)
            return self.over or child is None

    def _wait(self, child: _Child) -> None:
        """For an event, or the end; kills a process that does not obey. The lock is held."""
        patience_s = self._worker.patience_s
        while not (self.events or self.over or child.dead):
            if self._cancelled_at is None or patience_s is None:
                self._changed.wait()
                continue
            left_s = self._cancelled_at + patience_s - time.monotonic()
            if not self._changed.wait(max(0.0, left_s)) and left_s <= 0:
                child.kill()
                patience_s = None


class _Child:
    """The process, and the thread that listens to it and sees it off."""

    def __init__(self, worker: Worker) -> None:
        self.ready = self.dead = self.ending = False
        self._worker, self._changed = worker, worker.changed
        self.runs: dict[int, Run] = {}
        """Those that wait for it, and those it has."""
        try:
            with _opened(worker.log_file) as errors:
                self._process, connection = launch(
                    worker.module,
                    worker.models_dir,
                    worker.cache_dir,
                    worker.log_level,
                    errors,
                    worker.card,
                )
        except OSError as error:
            logger.exception("a process does not start")
            raise EngineDiedError(
                "The engine could not be started.", "Close other programs, then try again."
            ) from error
        self.pid = self._process.pid
        self._channel = Channel(connection)
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()

    def send(self, kind: Kind, run: int = 0, value: Any = None) -> None:
        """Send a message; if the process is gone, the listener will say so."""
        with contextlib.suppress(OSError):
            self._channel.send(kind, run, value)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self, timeout_s: float) -> None:
        """Have the process end, in good order if it can; returns when it is gone."""
        with self._changed:
            self.ending = True
            self._changed.notify_all()
        if self.ready:
            self.send(Kind.STOP)
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.kill()
            self._thread.join(_KILL_S)

    def forget(self, number: int) -> None:
        """A run is over; end the process if that was the last and it does not stay. The lock is
        held."""
        del self.runs[number]
        if not (self._worker.lasting or self.runs or self.ending):
            self.ending = True
            self.send(Kind.STOP)

    def error(self) -> EngineDiedError:
        """Why the process died, as far as that can be known."""
        code = self._process.returncode
        if code == -getattr(signal, "SIGKILL", 9):
            return EngineDiedError(
                "The system has ended the engine, most likely because the memory ran out.",
                "Close other programs or choose a smaller size, then try again.",
            )
        if not self.ready:
            return EngineDiedError(
                "The engine could not be started.",
                "Install the program again; the log says what is missing.",
            )
        return EngineDiedError(
            "The engine has stopped unexpectedly.",
            "Try again; if it happens again, report it with the log.",
        )

    def _listen(self) -> None:
        try:
            while True:
                message = self._channel.receive()
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except (EOFError, OSError):
            pass
        finally:
            self._see_off()

    def _take(self, message: Message) -> None:
        if message.kind is Kind.READY:
            self.ready = True
            return
        run = self.runs[message.run]
        if message.kind is Kind.OVER:
            run.over = True
            self.forget(message.run)
            return
        self._changed.wait_for(
            lambda: len(run.events) < _EVENTS_AHEAD or run.abandoned or self.ending
        )
        if not run.abandoned:
            run.events.append(message.value)

    def _see_off(self) -> None:
        """Leave no zombie: wait for the process, which has hung up, and kill it if it stays."""
        try:
            self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._channel.close()
        with self._changed:
            self.dead = True
            self._changed.notify_all()
        if self._process.returncode != 0 and not self.ending:
            logger.error("%s ended with %s", self._worker.module, self._process.returncode)


def _opened(log_file: Path | None) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    """The log, for the process to append to; it is no reason not to start."""
    try:
        if log_file is not None:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            return log_file.open("ab")
    except OSError as error:
        logger.warning("the log %s cannot be written: %s", log_file, error)
    return contextlib.nullcontext()
