"""A video that a client has asked for, as a folder below the server's own.

The folder has the job's name::

    jobs/3f9a.../
        job.json        whose it is, and what was asked for
        events.jsonl    what has happened, numbered; progress and previews are left out
        video.mp4       the video, or the unfinished file it grows in
        1/video.mp4     the same, where another engine went on with it; later, its name is as above
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from magi_engine import atomic
from magi_engine.config.places import SERVED
from magi_engine.errors import MagiError
from magi_engine.json_text import parse_json, read_fields
from magi_engine.media.info import probe
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import find_growing, find_partials
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunksShared,
    Event,
    Failed,
    Finished,
    Notice,
    Planned,
    PreviewReady,
    Progress,
    PromptChanged,
    Restarted,
)
from magi_engine.runtime.process.control import ChangePrompt, Command
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest, PromptChange
from magi_engine.takes.store import Take, TakeStore

logger = logging.getLogger(__name__)

FOLDER = Path(SERVED)
"""Below the server's folder, where it runs: so that the paths in the videos' metadata, and in the
log, say nothing of the machine."""

_MOST_DEATHS = 3
"""Of engines that a job outlives without a new chunk."""

_ORPHAN_TRIES, _ORPHAN_LOOK_S = 300, 0.2
_LAST = (Finished.kind, Cancelled.kind, Failed.kind)
_PASSING = (Progress.kind, PreviewReady.kind)
"""Kinds of which only the newest counts."""


@dataclass(frozen=True)
class JobAbout:
    """What a job is, as it is kept.

    Attributes:
        request: as the client sent it.
        key: chosen by the client, so that asking again is not asking twice.
    """

    owner: str
    request: str
    key: str
    created_s: float


class Maker(Protocol):
    """What makes a job's video."""

    def generate(self, request: GenerationRequest, preview: bool) -> Iterator[Event]: ...

    def control(self, command: Command) -> None: ...

    def close(self) -> None: ...


class Job:
    """One video, and all that has happened to it. Thread-safe.

    Attributes:
        wished: what the engine is told first.
        request: what it is told now: the same, or the rest of it.
        commands: what the job was told; an engine that goes on with it is told again, but for the
            prompts that are in force: those are in its request.
        busy: whether it is being made.
        refused: why it cannot be made any more; None: it can.
        heard: ids of commands that have come, so that one sent again counts once.
    """

    def __init__(self, job_id: str, about: JobAbout, request: GenerationRequest) -> None:
        self.id, self.about = job_id, about
        self.wished = self.request = request
        self.folder = FOLDER / job_id
        self.preview = self.busy = False
        self.refused: MagiError | None = None
        self.heard: set[str] = set()
        self.commands: list[Command] = []
        self.maker: Maker | None = None
        self._events: list[dict[str, Any]] = []
        self._count = 0
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], object]] = set()

    @property
    def output(self) -> Path:
        """The path of its video."""
        return Path(self.request.output or "")

    @property
    def last(self) -> dict[str, Any] | None:
        """Its last event; None: it has not ended."""
        with self._lock:
            return self._events[-1] if self._events and is_last(self._events[-1]) else None

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``finished``, ``cancelled`` or ``failed``."""
        if self.last is not None:
            return self.last["event"]
        kinds = {event["event"] for event in self._events}
        return "running" if kinds - {Notice.kind} else "waiting"

    @property
    def chunks(self) -> int:
        """How many chunks of its video have been announced."""
        with self._lock:
            for event in reversed(self._events):
                if event["event"] == ChunkReady.kind:
                    return event["index"] + 1
                if event["event"] == ChunksShared.kind:
                    return event["chunks"]
        return 0

    @property
    def deaths(self) -> tuple[int, int]:
        """How many engines have died over it: in all, and since the last chunk."""
        with self._lock:
            kinds = [event["event"] for event in self._events]
        since = kinds[::-1]
        if ChunkReady.kind in since:
            since = since[: since.index(ChunkReady.kind)]
        return kinds.count(Restarted.kind), since.count(Restarted.kind)

    def say(self, event: Event) -> None:
        """Note what has happened, and tell whoever listens; nothing that was said is said again."""
        chunks = self.chunks
        match event:
            case ChunkReady(index=index) if index < chunks:
                return
            case ChunksShared(chunks=shared) if shared <= chunks:
                return
            case Planned() if any(e["event"] == Planned.kind for e in self.events_after(0)):
                return
            case Finished() | Cancelled() | Failed():
                event = self._settled(event)
        data = event.to_exact_dict()
        if isinstance(event, Finished | Cancelled | Failed):
            data["path"] = None if event.path is None else event.path.name
        with self._lock:
            self._count += 1
            data = {"number": self._count, **data}
            if data["event"] in _PASSING:
                self._events = [e for e in self._events if e["event"] != data["event"]]
            else:
                self._write(f"\n{json.dumps(data)}")  # behind a line that a full disk cut off, too
            if is_last(data):
                self._events = [e for e in self._events if e["event"] != PreviewReady.kind]
            self._events.append(data)
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def _write(self, line: str) -> None:
        try:
            with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:  # whoever listens hears of it all the same
            logger.warning("what happens to job %s cannot be kept: %s", self.id, error)

    def events_after(self, number: int) -> list[dict[str, Any]]:
        """What has happened since an event."""
        with self._lock:
            return [event for event in self._events if event["number"] > number]

    def listen(self, listener: Callable[[], object]) -> None:
        """Have ``listener`` called after every event, in any thread."""
        with self._lock:
            self._listeners.add(listener)

    def leave(self, listener: Callable[[], object]) -> None:
        """The contrary of :meth:`listen`."""
        with self._lock:
            self._listeners.discard(listener)

    def files(self) -> list[Path]:
        """What the video is, once the job has ended: a file, or pictures."""
        last = self.last
        if last is None or last["path"] is None:
            return []
        path = self.folder / last["path"]
        if path.is_dir():
            return sorted(path.iterdir())
        return [path] if path.is_file() else []  # somebody may have made room

    def load_events(self) -> None:
        """Take in what was kept of its events."""
        lines: list[str] = []
        if (self.folder / "events.jsonl").is_file():
            text = (self.folder / "events.jsonl").read_text(encoding="utf-8", errors="replace")
            lines = text.splitlines()
        for line in lines:
            try:
                self._events.append(parse_json(line))
            except ValueError:  # cut off by whatever ended the program, or by a full disk
                continue
        # Progress had numbers, too: none is given twice.
        self._count = 1_000_000 + max((e["number"] for e in self._events), default=0)

    def begin_again(self, takes: TakeStore) -> bool:
        """Get ready to be gone on with by another engine.

        Returns:
            Whether it can be, and has not been tried too often.
        """
        if self.refused is not None or self.deaths[1] >= _MOST_DEATHS:
            return False
        rest = self._directed(self._rest(takes) or self.wished)
        self.say(Restarted(self.chunks))
        self.made_again(rest)
        self.output.parent.mkdir(exist_ok=True)
        return True

    def obeyed(self, event: PromptChanged) -> None:
        """A prompt is in force."""
        for command in self.commands:
            if isinstance(command, ChangePrompt) and command.text == event.text:
                self.commands.remove(command)
                return

    def made_again(self, request: GenerationRequest) -> None:
        """Have it made as ``request`` says, in a folder of its own after every death: whatever the
        engine before may still write does not get into it."""
        if died := self.deaths[0]:
            output = self.folder / str(died) / self.output.name
            request = dataclasses.replace(request, output=str(output))
        self.request = request

    def _directed(self, request: GenerationRequest) -> GenerationRequest:
        """With the prompts that came while it was made, each where it came to be in force."""
        prompts = {change.chunk: change for change in request.prompts}
        for event in self.events_after(0):
            if event["event"] == PromptChanged.kind:
                change = read_fields(PromptChange, event)
                prompts[change.chunk] = change
        return dataclasses.replace(request, prompts=tuple(prompts[n] for n in sorted(prompts)))

    def _rest(self, takes: TakeStore) -> GenerationRequest | None:
        """What is left to be made behind the chunks that were announced and kept."""
        kept = [take for take in takes.all() if job_id_of(take) == self.id]
        try:
            take = max(kept, key=lambda take: take.chunks)
            takes.check(take)
            earlier = Earlier.of_take(take)
        except (ValueError, MagiError) as error:
            logger.info("job %s begins anew: %s", self.id, error)
            return None
        chunk = min(self.chunks, take.chunks - take.finished)  # something is made in any case
        video = Path(earlier.request.output or "")
        if chunk <= 0:
            return None
        return dataclasses.replace(earlier, video=video if video.is_file() else None).redone(chunk)

    def _settled(self, event: Finished | Cancelled | Failed) -> Finished | Cancelled | Failed:
        """As it is told: the video in its place, and nothing that engines before have left."""
        again = [self.folder / str(n + 1) for n in range(self.deaths[0])]
        path, frames = event.path, event.frames
        if path is None:
            with contextlib.suppress(MagiError):
                for left in find_partials(self.output.parent):
                    recover_partial(left)
            saved = (folder / self.output.name for folder in [*reversed(again), self.folder])
            path = next(filter(Path.exists, saved), None)
            with contextlib.suppress(MagiError):
                frames = 0 if path is None else probe(path).frame_count or 0
        if path is not None and path.absolute().parent != self.folder.absolute():
            place = self.folder / path.name
            if place.is_dir():
                shutil.rmtree(place)
            atomic.put_in_place(path, place)
            path = place
        for folder in again:
            shutil.rmtree(folder, ignore_errors=True)
        if path is not None and again and (left := find_growing(self.folder / self.output.name)):
            # Of a machine that is gone.
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        return dataclasses.replace(event, path=path, frames=frames)

    def save(self, closing: threading.Event) -> None:
        """Give what has grown of the video its name; may take some seconds, but for ``closing``."""
        # The engine's process outlives the server's by some seconds, and ends the file itself.
        for _ in range(_ORPHAN_TRIES):
            if self.output.exists() or find_growing(self.output) is None:
                return
            if find_partials(self.output.parent):
                break
            if closing.wait(_ORPHAN_LOOK_S):
                return
        # Where that cannot be seen, the engine had another machine, or a container of another name.
        try:
            if (left := find_growing(self.output)) is not None:
                recover_partial(left)
        except MagiError as error:
            logger.info("nothing of job %s could be saved: %s", self.id, error)


def job_id_of(take: Take) -> str:
    """The id of the job whose video a take is of; another program's has none."""
    try:
        output = GenerationRequest.from_json(take.about.request).output or ""
    except MagiError:
        return ""
    return next(iter(Path(output).parts[1:2]), "")


def is_last(event: dict[str, Any]) -> bool:
    """Whether an event is the last one of its job."""
    return event["event"] in _LAST
