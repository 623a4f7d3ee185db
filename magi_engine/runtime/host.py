"""The engine in a process of its own, with the face of :class:`magi_engine.runtime.engine.Engine`.

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
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from magi_engine.errors import EngineDiedError, MagiError
from magi_engine.media.info import probe
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import find_partials, target_of
from magi_engine.runtime.control import Cancel, Command
from magi_engine.runtime.events import Cancelled, ChunkReady, Event, Failed, Finished
from magi_engine.runtime.finding import Finding
from magi_engine.runtime.launch import launch
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.request import GenerationRequest
from magi_engine.runtime.wire import (
    Answered,
    Control,
    Examine,
    Generate,
    Happened,
    LookAround,
    Message,
    Pulled,
    Ready,
    Stop,
    Unload,
    Wire,
)

logger = logging.getLogger(__name__)

_LAST = (Finished, Cancelled, Failed)

_END_S = 10.0
"""How long the process may take to end a cancelled job before it is killed."""
_KILL_S = 5.0
_ABANDON_S = 5.0
"""How long closing a generator waits for its job; later the job ends unseen."""


class EngineProcess:
    """Generates one video at a time in a child process, which keeps the models for the next one.

    All methods may be called from any thread. A process that has died is replaced by the next
    call that needs one.

    Args:
        models_dir: where downloaded models are; None: the usual place of this system.
        cache_dir: where things are kept that can be made again; None: the usual place.
        log_file: the process appends its log and whatever its libraries say when they die;
            None: only errors, to standard error.
    """

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self._models_dir = models_dir
        self._cache_dir = cache_dir
        self._log_file = log_file
        # Guards everything here, in the child and in the jobs, and tells of every change.
        self._changed = threading.Condition()
        self._child: _Child | None = None
        self._job: _Job | None = None
        self._running = threading.Lock()
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Begin starting the process, so that it is warm when it is needed; does not wait.

        If that fails, the next generation says so.
        """
        with self._changed, contextlib.suppress(EngineDiedError):
            self._living()

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        """Generate a video while the returned generator is pulled.

        As ``Engine.generate``, but the events carry no latents, and if the process dies the last
        event is Failed with an EngineDiedError and what could be saved of the video. Closing the
        generator cancels the job.
        """
        with self._changed:
            job = self._job = _Job(next(self._numbers), request, preview)
        return self._generate(job)

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something; from any thread, at any time."""
        with self._changed:
            if self._job is not None:
                self._job.control(command)
                self._changed.notify_all()

    def unload(self) -> None:
        """Free the models, once no job runs; the next generation loads them again."""
        with self._changed:
            if self._child is None or self._child.dead:
                return
        with contextlib.suppress(EngineDiedError):  # then they are gone as well
            self._call(Unload)

    def examine(self) -> list[Finding]:
        """What this machine can do; takes some seconds, once no job runs.

        Raises:
            EngineDiedError: the process has died.
        """
        return self._call(Examine)

    def machine(self) -> MachineFacts:
        """What this machine has to offer, in numbers; quick, once no job runs.

        Raises:
            EngineDiedError: the process has died.
        """
        return self._call(LookAround)

    def close(self) -> None:
        """End the process; a job under way is cancelled and its video kept. Takes bounded time."""
        with self._changed:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _generate(self, job: _Job) -> Iterator[Event]:
        if not self._running.acquire(blocking=False):
            error = MagiError(
                "Another video is being generated.", "Wait until it is done, or cancel it."
            )
            yield Failed(error, path=None, frames=0)
            return
        try:
            yield from self._events(job)
        finally:
            self._running.release()

    def _events(self, job: _Job) -> Iterator[Event]:
        try:
            with self._changed:
                child = self._living()
                self._changed.wait_for(lambda: child.ready or child.dead or job.cancelled)
                if not job.cancelled:
                    child.begin(job)
        except EngineDiedError as error:
            yield Failed(error, path=None, frames=0)
            return
        if job.child is None:
            yield Cancelled(None, 0)
            return
        last: Event | None = None
        try:
            while not isinstance(last, _LAST):
                last = child.next_event(job)
                yield last
        finally:
            if not isinstance(last, _LAST):
                child.abandon(job)

    def _living(self) -> _Child:
        """The process, started if there is none. The lock is held."""
        if self._child is None or self._child.dead:
            self._child = _Child(self._changed, self._models_dir, self._cache_dir, self._log_file)
        return self._child

    def _call(self, message: Callable[[int], Unload | Examine | LookAround]) -> Any:
        with self._changed:
            child = self._living()
            number = next(self._numbers)
            self._changed.wait_for(lambda: child.ready or child.dead)
            child.send(message(number))
            self._changed.wait_for(lambda: number in child.answers or child.dead)
            if number not in child.answers:
                raise child.error()
            value = child.answers.pop(number)
        if isinstance(value, MagiError):
            raise value
        return value


class _Job:
    """One request on this side of the pipe. Guarded by the lock of the EngineProcess."""

    def __init__(self, number: int, request: GenerationRequest, preview: bool) -> None:
        self.number = number
        self.request = request
        self.preview = preview
        self.cancelled = False
        self.events: deque[Event] = deque()
        self.abandoned = False
        """Nobody will pull its events any more."""
        self.over = False
        """Whether its last event has come, pulled or not."""
        self.frames = 0
        self.child: _Child | None = None
        self.waiting: list[Command] = []
        """Commands given before the process had the job."""
        self._recovering = threading.Lock()
        self._recovered: Path | None = None

    def control(self, command: Command) -> None:
        self.cancelled = self.cancelled or isinstance(command, Cancel)
        if self.child is None:
            self.waiting.append(command)
        else:
            self.child.send(Control(self.number, command))

    def note(self, event: Event) -> None:
        """Take in an event from the process."""
        if not self.abandoned:
            self.events.append(event)
        self.over = isinstance(event, _LAST)
        if isinstance(event, ChunkReady):
            self.frames += len(event.frames)

    def recover(self, pid: int) -> Path | None:
        """Make a video of what process ``pid``, which is gone, has left of this job."""
        with self._recovering:
            if self._recovered is None and self.request.output is not None:
                self._recovered = _recover(Path(self.request.output), pid)
                if self._recovered is not None:
                    self.frames = _at_most(self.frames, self._recovered)
            return self._recovered


class _Child:
    """The process, and the thread that listens to it and sees it off."""

    def __init__(
        self,
        changed: threading.Condition,
        models_dir: Path | None,
        cache_dir: Path | None,
        log_file: Path | None,
    ) -> None:
        self.ready = False
        self.dead = False
        self.answers: dict[int, Any] = {}
        self._changed = changed
        self._job: _Job | None = None
        self._ending = False
        with _opened(log_file) as errors:
            try:
                self._process, connection = launch(
                    _text(models_dir), _text(cache_dir), "INFO" if log_file else "ERROR", errors
                )
            except OSError as error:
                logger.exception("the engine's process does not start")
                raise EngineDiedError(
                    "The engine could not be started.", "Close other programs, then try again."
                ) from error
        self._wire = Wire(connection)
        self._thread = threading.Thread(target=self._listen, name="engine-listener", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Send a message; if the process is gone, the listener will say so."""
        with contextlib.suppress(OSError):
            self._wire.send(message)

    def begin(self, job: _Job) -> None:
        """Hand the job to the process, with all that it was told before. The lock is held."""
        self._job, job.child = job, self
        self.send(Generate(job.number, job.request, job.preview))
        for command in job.waiting:
            self.send(Control(job.number, command))

    def next_event(self, job: _Job) -> Event:
        """Wait for the job's next event; if the process dies, that is the last one."""
        with self._changed:
            self._changed.wait_for(lambda: job.events or self.dead)
            if job.events:
                self.send(Pulled())
                return job.events.popleft()
        path = job.recover(self._process.pid)
        if self._ending:
            return Cancelled(path, job.frames)
        return Failed(self.error(), path, job.frames)

    def abandon(self, job: _Job) -> None:
        """Cancel a job nobody listens to any more, and wait shortly until it is done."""
        with self._changed:
            job.abandoned = True
            job.control(Cancel())
            for _ in job.events:
                self.send(Pulled())
            job.events.clear()
            self._changed.wait_for(lambda: job.over or self.dead, _ABANDON_S)
        if self.dead and not job.over:
            job.recover(self._process.pid)

    def end(self) -> None:
        """Have the process end, in good order if it can; returns when it is gone."""
        with self._changed:
            self._ending = True
        if self.ready:
            self.send(Stop())
            self._thread.join(_END_S)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join(_KILL_S)
        if self._job is not None and not self._job.over:
            self._job.recover(self._process.pid)

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
                message = self._wire.receive()
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except (EOFError, OSError):
            pass
        finally:
            self._see_off()

    def _take(self, message: Message) -> None:
        match message:
            case Ready():
                self.ready = True
            case Answered():
                self.answers[message.call] = message.value
            case Happened():
                self._pass_on(message)

    def _pass_on(self, message: Happened) -> None:
        job = self._job
        # Of an abandoned job something may come even after the next one has begun.
        if job is not None and job.number == message.job:
            job.note(message.event)
        if job is None or job.number != message.job or job.abandoned:
            self.send(Pulled())

    def _see_off(self) -> None:
        """Leave no zombie: wait for the process, which has hung up, and kill it if it stays."""
        try:
            self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._wire.close()
        with self._changed:
            self.dead = True
            self._changed.notify_all()
        if self._process.returncode != 0 and not self._ending:
            logger.error("the engine's process ended with %s", self._process.returncode)


def _recover(output: Path, pid: int) -> Path | None:
    try:
        for part in find_partials(output.parent):
            if target_of(part).name == output.name and f".part-{pid}-" in part.name:
                return recover_partial(part)
    except MagiError as error:
        logger.info("nothing of %s could be saved: %s", output.name, error)
    return None


def _at_most(frames: int, path: Path) -> int:
    """How many of ``frames`` are in a file, if it says: the last ones may not have got there."""
    try:
        return min(frames, probe(path).frame_count or frames)
    except MagiError:  # a folder of pictures
        return frames


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
        logger.warning("the engine's log %s cannot be written: %s", log_file, error)
        yield None
        return
    with file:
        yield file


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
