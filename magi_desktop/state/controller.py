"""Takes one video after another from the queue through the engine into the library."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop import background
from magi_desktop.engine_thread import EngineThread
from magi_desktop.settings import Preferences
from magi_desktop.state.jobs import JobState, Phase
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue, QueueItem, reseeded
from magi_desktop.state.videos import describe
from magi_engine.errors import MagiError, OutputError, message_of
from magi_engine.media.targets import free_name
from magi_engine.runtime.job.events import Cancelled, Failed, Finished
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.request.batch import with_along
from magi_engine.runtime.request.request import GenerationRequest


class Controller(QObject):
    """Drives the engine. All methods are to be called on the UI thread and return at once.

    Args:
        videos: where videos go unless the preferences name another folder.

    Signals:
        failed: a job or its preparation went wrong, with the id of the queue's item; the next one
            starts all the same.
        idle: nothing runs and nothing waits.
    """

    failed = Signal(object, str)
    idle = Signal()

    def __init__(
        self,
        engine: EngineThread,
        job: JobState,
        queue: JobQueue,
        library: Library,
        preferences: Preferences,
        videos: Path,
        parent: QObject | None = None,
        computing: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """``computing``: fields of every request that say how videos are computed here; None: what
        the preferences say."""
        super().__init__(parent)
        self._computing = computing or preferences.computing
        self._engine, self.job, self._queue = engine, job, queue
        self._library, self._preferences, self._videos = library, preferences, videos
        self._current: QueueItem | None = None
        self.made: dict[str, Path] = {}
        """The videos of this session, by the ids that they had in the queue."""
        self._closing = False
        engine.progressed.connect(job.take)
        engine.ended.connect(self._end)
        queue.changed.connect(self.advance)
        queue.loaded.connect(self._drop_made)
        library.changed.connect(self._drop_made)
        library.settled.connect(self._follow_made)

    @property
    def busy(self) -> bool:
        """Whether a video is being made or about to be."""
        return self._current is not None

    @property
    def output_folder(self) -> Path:
        """Where the next video goes."""
        chosen = self._preferences.get("output_folder")
        return Path(chosen) if chosen else self._videos

    def generate(self, request: GenerationRequest, copies: int = 1) -> list[str]:
        """Line up a video; more than one copy differ in their seeds. The ids of the queue."""
        return self._queue.add_many([request, *(reseeded(request) for _ in range(copies - 1))])

    def vary(self, request: GenerationRequest, count: int) -> list[str]:
        """Line up a video that was made so many times more, with other seeds."""
        return self._queue.add_many([reseeded(request) for _ in range(count)])

    @Slot()
    def advance(self) -> None:
        """Start the next video if nothing runs."""
        if self._current is not None or self._closing:
            return
        item = self._queue.next()
        if item is None:
            return
        self._current = item
        self._queue.mark_running(item.id)
        background.run(
            _prepared,
            self._engine,
            item,
            self.output_folder,
            then=self._start,
            failed=self._not_started,
            owner=self,
        )

    @Slot()
    def stop(self) -> None:
        """End the video that runs; what is finished of it stays."""
        if self.job.phase.active:
            self.job.stopping()
            self._engine.control(Cancel())

    @Slot()
    def pause(self) -> None:
        """Stand still after the current step."""
        self._engine.control(Pause())

    @Slot()
    def resume(self) -> None:
        """Go on after a pause."""
        self._engine.control(Resume())

    @Slot()
    def toggle_pause(self) -> None:
        """Pause or resume."""
        if self.job.phase is Phase.PAUSED:
            self.resume()
        elif self.job.phase in (Phase.PREPARING, Phase.RUNNING):
            self.pause()

    @Slot(object)
    def change_prompt(self, change: ChangePrompt) -> None:
        """Direct the running video."""
        self._engine.control(change)

    def close(self) -> None:
        """Start nothing more, and stop what runs, unless it goes on without this program: the last
        thing before that ends."""
        self._closing = True
        if not self._engine.engine.outlives:
            self.stop()

    def _start(self, request: GenerationRequest | None) -> None:
        if self._closing:
            self._current = None
            self._go_on()
            return
        if request is None:
            item, self._current = self._current, None
            if item is not None:
                self._queue.mark_done(item.id)
                self._library.add(Path(item.request.output or ""), item.request)
            self._go_on()
            return
        # How to compute is a matter of this computer, not of the settings a video came from.
        here = self._computing()
        request = dataclasses.replace(request, **here).as_wished()
        self.job.begin(request)
        if self._current is not None:
            self._queue.mark_begun(self._current.id, request)
        waiting = [dataclasses.replace(item.request, **here) for item in self._queue.waiting]
        together = with_along(request, waiting)
        self._engine.generate(together, preview=self._preferences.get("live_preview"))

    @Slot()
    def _drop_made(self) -> None:
        """A video that was finished when the program was killed is not made a second time."""
        for item in self._queue.items:
            if item.interrupted and any(i.was_made_as(item.request) for i in self._library.items):
                self._queue.mark_done(item.id)

    @Slot(object, object)
    def _follow_made(self, before: Path, after: Path) -> None:
        self.made = {i: after if path == before else path for i, path in self.made.items()}

    def _not_started(self, error: Exception) -> None:
        item, self._current = self._current, None
        if item is not None:
            self._queue.mark_failed(item.id, message_of(error))
        self.failed.emit(error, "" if item is None else item.id)
        self._go_on()

    @Slot(object)
    def _end(self, event: Finished | Cancelled | Failed) -> None:
        request = self.job.request
        self.job.take(event)
        if event.path is not None and request is not None:
            # A video that was to run until it is stopped is complete when it is.
            stopped = isinstance(event, Cancelled) and request.num_frames is None
            whole = isinstance(event, Finished) and request.only_chunks is None
            complete = stopped or whole
            self._library.add(event.path, request, complete, self.job.elapsed_s)
            if self._current is not None:
                self.made[self._current.id] = event.path
        item, self._current = self._current, None
        if isinstance(event, Failed):
            if item is not None:
                self._queue.mark_failed(item.id, event.error.whole)
            self.failed.emit(event.error, "" if item is None else item.id)
        elif item is not None:
            self._queue.mark_done(item.id)
        self._go_on()

    def _go_on(self) -> None:
        self.advance()
        if self._current is None:
            self.idle.emit()


def _prepared(engine: EngineThread, item: QueueItem, folder: Path) -> GenerationRequest | None:
    """The request with a free path for its video; one that was begun before goes on where it was
    interrupted, if its latents are kept. None: it was finished, and only nobody has noted that."""
    request = item.request
    output = Path(request.output or "")
    if output.is_absolute() and request.only_chunks is None:
        if engine.engine.is_making(request):
            return request
        if item.interrupted and output.exists():
            with contextlib.suppress(MagiError, OSError):
                if describe(output, None, None).was_made_as(request):
                    return None
        earlier = engine.engine.unfinished(request)
        request = request if earlier is None else earlier.resumed()
    return with_output(request, folder)


def with_output(request: GenerationRequest, folder: Path) -> GenerationRequest:
    """The request with its wish of a name turned into a free path in ``folder``.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            "The folder for videos cannot be made: {folder}",
            "Choose another in the preferences.",
            folder=folder,
        ) from error
    wish = Path(request.output or "video.mp4").name
    return dataclasses.replace(request, output=str(free_name(folder / wish)))
