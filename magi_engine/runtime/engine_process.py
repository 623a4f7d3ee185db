"""The engine in a process of its own, with the methods of ``magi_engine.runtime.engine.Engine``.

A piece of work is the name of one of them with its arguments.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.config.places import default_takes_dir
from magi_engine.errors import EngineDiedError, MagiError
from magi_engine.media.info import probe
from magi_engine.media.targets import find_partials, is_part_of
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunksShared,
    Event,
    Failed,
    refused,
)
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.process.worker import Run, Worker
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.takes.store import Takes, TakeStore

if TYPE_CHECKING:
    from magi_engine.runtime.machine.facts import Finding, MachineFacts
    from magi_engine.runtime.planning.plan import JobPlan
    from magi_engine.runtime.planning.prospects import Prospect
    from magi_engine.runtime.speed.report import Measuring, SpeedReport

logger = logging.getLogger(__name__)

_ABANDON_S = 5.0
"""How long closing a generator waits for its job; later the job ends unseen."""


class EngineProcess(Worker):
    """Generates one video at a time in a child process, which keeps the models for the next one.

    All methods may be called from any thread.
    """

    module = "magi_engine.runtime.engine_child"
    lasting = True
    end_s = 10.0
    outlives = False

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        super().__init__(models_dir, cache_dir, log_file)
        self._job: _Job | None = None
        self._measuring: Run | None = None
        self._running = threading.Lock()
        self.takes: Takes = TakeStore(default_takes_dir())

    def unfinished(self, request: GenerationRequest) -> Earlier | None:
        """A video that was begun with ``request`` and did not come to its end."""
        return Earlier.unfinished(request, self.takes)

    def is_making(self, request: GenerationRequest) -> bool:
        """Whether a job of before a restart is still there: none is."""
        del request
        return False

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        """Generate a video while the returned generator is pulled.

        As ``Engine.generate``, but the events carry no latents, and if the process dies the last
        event is Failed with an EngineDiedError and what could be saved of the video. Closing the
        generator cancels the job.
        """
        job = self._job = _Job(request, self.begin(("generate", request, preview)))
        return self._generate(job)

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something; from any thread, at any time."""
        if self._job is not None:
            self._job.run.control(command)

    def unload(self) -> None:
        """Free the models, once no job runs; the next generation loads them again."""
        if self.alive:
            with contextlib.suppress(EngineDiedError):  # then they are gone as well
                self.call("unload")

    def examine(self) -> list[Finding]:
        """What this machine can do; takes some seconds, once no job runs.

        Raises:
            EngineDiedError: the process has died.
        """
        return self.call("examine")

    def measure(self) -> Iterator[Measuring | SpeedReport]:
        """How fast this machine is, as ``Engine.measure``; :meth:`stop_measuring` ends it.

        Raises:
            EngineDiedError: the process has died.
            MagiError: it cannot be measured.
        """
        run = self._measuring = self.begin(("measure",))
        return self._measured(run)

    def stop_measuring(self) -> None:
        """End the latest :meth:`measure`; from any thread."""
        if self._measuring is not None:
            self._measuring.control(Cancel())

    def machine(self) -> MachineFacts:
        """What this machine has to offer, in numbers; quick, once the process is there.

        Raises:
            EngineDiedError: the process has died.
        """
        return self.call("machine")

    def plan(self, request: GenerationRequest) -> JobPlan:
        """How ``request`` would be made on this machine; as quick.

        Raises:
            MagiError: it cannot work at all.
            EngineDiedError: the process has died.
        """
        return self.call("plan", request)

    def check(self, request: GenerationRequest) -> None:
        """Refuse what :meth:`generate` refuses before it loads anything; as quick.

        Raises:
            MagiError: what its last event would say.
            EngineDiedError: the process has died.
        """
        self.call("check", request)

    def prospects(self) -> dict[str, Prospect]:
        """How each known model would run on this machine, by its name; as quick.

        Raises:
            EngineDiedError: the process has died.
        """
        return self.call("prospects")

    def close(self) -> None:
        """End the process for good; a job under way is cancelled and its video kept.

        Takes bounded time, whatever the process does.
        """
        super().close()
        if self._job is not None and not self._job.run.over:
            self._job.recover()

    def _measured(self, run: Run) -> Iterator[Measuring | SpeedReport]:
        for event in run:
            if isinstance(event, MagiError):
                raise event
            yield event

    def _generate(self, job: _Job) -> Iterator[Event]:
        if not self._running.acquire(blocking=False):
            yield refused()
            return
        try:
            yield from self._events(job)
        finally:
            self._running.release()

    def _events(self, job: _Job) -> Iterator[Event]:
        events = iter(job.run)
        try:
            for event in events:
                if isinstance(event, ChunksShared):
                    job.frames = event.frames
                if isinstance(event, ChunkReady):
                    job.frames += len(event.frames)
                yield event
            if not job.run.over:  # cancelled before it began
                yield Cancelled(None, 0)
        except EngineDiedError as error:
            path = job.recover()
            if self.closed:
                yield Cancelled(path, job.frames)
            else:
                yield Failed(error, path, job.frames)
        finally:
            events.close()
            if not job.run.wait_until_over(_ABANDON_S):
                job.recover()


class _Job:
    """A request, and what is known of its video on this side."""

    def __init__(self, request: GenerationRequest, run: Run) -> None:
        self.run = run
        self.frames = 0
        self._output = None if request.output is None else Path(request.output)
        self._recovering = threading.Lock()
        self._recovered: Path | None = None

    def recover(self) -> Path | None:
        """Make a video of what the process, which is gone, has left of this job."""
        with self._recovering:
            if self._recovered is None and self._output is not None and self.run.pid is not None:
                self._recovered = _recover(self._output, self.run.pid)
                if self._recovered is not None:
                    self.frames = _at_most(self.frames, self._recovered)
            return self._recovered


def _recover(output: Path, pid: int) -> Path | None:
    from magi_engine.media.output import recover_partial  # the window's start waits for no writer

    try:
        for part in find_partials(output.parent):
            if is_part_of(part, output) and f".part-{pid}-" in part.name:
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
