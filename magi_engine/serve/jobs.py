"""The videos that clients have asked for: made one after the other, kept until they are fetched.

A job is a folder below the server's own, whose name is the job's::

    jobs/3f9a.../
        job.json        whose it is, and what was asked for
        events.jsonl    what has happened, numbered; progress and previews are left out
        video.mp4       the video, or the unfinished file it grows in

A job goes on whoever watches. After a restart all of it is there again; a video that was being
made then has failed, and what was finished of it is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine import atomic
from magi_engine.config.places import default_takes_dir
from magi_engine.errors import EngineDiedError, InvalidRequestError, MagiError
from magi_engine.json_text import parse_json, read_fields, read_json
from magi_engine.media.info import probe
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import find_growing, find_partials, output_suffix
from magi_engine.messages import Message
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Notice,
    PreviewReady,
    Progress,
)
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.process.errors import named_error
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.serve.uploads import Uploads
from magi_engine.takes.store import TakeStore, not_kept

logger = logging.getLogger(__name__)

FOLDER = Path("jobs")
"""Below the server's folder, where it runs: so that the paths in the videos' metadata, and in the
log, say nothing of the machine."""

MOST_WAITING = 100
"""Jobs of one owner that have not ended."""

_SPARE_BYTES = 1_000_000_000
"""Left free on the disk where the oldest jobs can make room."""

_ORPHAN_TRIES, _ORPHAN_LOOK_S = 300, 0.2
_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{8,64}")
_NAME = re.compile(r"[^/\\:\0]+")
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


class Job:
    """One video, and all that has happened to it. Thread-safe.

    Attributes:
        request: what the engine is told.
        heard: ids of commands that have come, so that one sent again counts once.
    """

    def __init__(self, job_id: str, about: JobAbout, request: GenerationRequest) -> None:
        self.id, self.about, self.request = job_id, about, request
        self.folder = FOLDER / job_id
        self.preview = False
        self.heard: set[str] = set()
        self.commands: list[Command] = []
        """Given before it began."""
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
            return self._events[-1] if self._events and _is_last(self._events[-1]) else None

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``finished``, ``cancelled`` or ``failed``."""
        if self.last is not None:
            return self.last["event"]
        kinds = {event["event"] for event in self._events}
        return "running" if kinds - {Notice.kind} else "waiting"

    def say(self, event: Event) -> None:
        """Note what has happened, and tell whoever listens."""
        data = event.to_exact_dict()
        if isinstance(event, Finished | Cancelled | Failed):
            data["path"] = None if event.path is None else event.path.name
        with self._lock:
            self._count += 1
            data = {"number": self._count, **data}
            if data["event"] in _PASSING:
                self._events = [e for e in self._events if e["event"] != data["event"]]
            else:
                self._write(f"{json.dumps(data)}\n")
            if _is_last(data):
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
        """What has happened since an event, without the last one of all."""
        with self._lock:
            return [e for e in self._events if e["number"] > number and not _is_last(e)]

    def listen(self, listener: Callable[[], object]) -> None:
        """Have ``listener`` called after every event, in any thread."""
        with self._lock:
            self._listeners.add(listener)

    def leave(self, listener: Callable[[], object]) -> None:
        """The contrary of :meth:`listen`."""
        with self._lock:
            self._listeners.discard(listener)

    def growing(self) -> Path | None:
        """The file that grows while the video is made; None: there is none."""
        part = find_growing(self.output)
        return part if part is not None and part.is_file() else None

    def files(self) -> list[Path]:
        """What the video is, once the job has ended: a file, or pictures."""
        last = self.last
        if last is None or last["path"] is None:
            return []
        path = self.folder / last["path"]
        return sorted(path.iterdir()) if path.is_dir() else [path]

    def load_events(self) -> None:
        """Take in what was kept of its events."""
        lines: list[str] = []
        if (self.folder / "events.jsonl").is_file():
            lines = (self.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
        for line in lines:
            try:
                self._events.append(parse_json(line))
            except ValueError:  # cut off by whatever ended the program, or by a full disk
                continue
        # Progress had numbers, too: none is given twice.
        self._count = 1_000_000 + max((e["number"] for e in self._events), default=0)

    def end_interrupted(self) -> None:
        """Say that it has failed, and keep what is finished of it; may take some seconds."""
        path = self._saved()
        frames = 0
        with contextlib.suppress(MagiError):
            frames = 0 if path is None else probe(path).frame_count or 0
        self.say(Failed(_restarted(), path, frames))

    def _saved(self) -> Path | None:
        # The engine's process outlives the server's by some seconds, and ends the file itself.
        for _ in range(_ORPHAN_TRIES):
            if self.output.exists():
                return self.output
            try:
                if parts := find_partials(self.folder):
                    return recover_partial(parts[0])
            except MagiError as error:
                logger.info("nothing of job %s could be saved: %s", self.id, error)
                return None
            if find_growing(self.output) is None:  # at the first look it may have had no name yet
                return self.output if self.output.exists() else None
            time.sleep(_ORPHAN_LOOK_S)
        return None


class JobBook:
    """All jobs, and the thread that has the engine make them in their order.

    Args:
        engine: makes them; used by others for questions only.
        keep_bytes: what the jobs that have ended may take up; the oldest go.
        log_prompts: whether what is asked for is logged.
    """

    def __init__(
        self, engine: EngineProcess, uploads: Uploads, keep_bytes: int, log_prompts: bool = False
    ) -> None:
        self._engine, self._uploads = engine, uploads
        self._keep_bytes, self._log_prompts = keep_bytes, log_prompts
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._running: Job | None = None
        self._closed = False
        FOLDER.mkdir(exist_ok=True)
        for folder in sorted(FOLDER.iterdir()):
            self._load(folder)
        self._thread = threading.Thread(target=self._work, name="jobs")
        self._thread.start()

    def of(self, owner: str) -> list[Job]:
        """An owner's jobs, the newest first."""
        with self._changed:
            own = [job for job in self._jobs.values() if job.about.owner == owner]
        return sorted(own, key=lambda job: job.about.created_s, reverse=True)

    def find(self, owner: str, job_id: str) -> Job | None:
        """An owner's job; None: there is none, or it is another's."""
        with self._changed:
            job = self._jobs.get(job_id)
        return job if job is not None and job.about.owner == owner else None

    def waiting(self) -> int:
        """How many jobs of all owners have not ended."""
        with self._changed:
            return len(self._waiting())

    def accepted(self, owner: str, text: str, output: Path | None = None) -> GenerationRequest:
        """A client's request as the engine here is told it.

        Args:
            output: the folder of its video.

        Raises:
            InvalidRequestError: it is none, or names a file.
        """
        request = GenerationRequest.from_json(text)
        if request.config_path is not None:
            raise InvalidRequestError(
                "A configuration file cannot be used on another machine.",
                "Choose a model that it has.",
            )
        if request.start is not None and request.start.video is not None:
            raise _names_a_path("start.video")
        name = request.output or "video.mp4"
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise _names_a_path("output")
        reference = request.reference
        if reference is not None:
            reference = str(self._uploads.path_of(owner, reference))
        start = request.start
        if start is not None:
            shared = self.job_of_take(start.take)
            if shared is None or shared.about.owner != owner:
                raise not_kept()
            video = next((p for p in shared.files() if p.is_file()), None)
            start = dataclasses.replace(start, video=None if video is None else str(video))
        suffix = output_suffix(Path(name))
        return dataclasses.replace(
            request.as_wished(),
            reference=reference,
            start=start,
            output=str((output or FOLDER) / f"video{suffix}"),
            writing=dataclasses.replace(request.writing, overwrite=False),
            extra={},
        )

    def job_of_take(self, take: str) -> Job | None:
        """The job whose video a take is of; None: another program's, or of one that is gone."""
        try:
            about = TakeStore(default_takes_dir()).find(take).about
            output = GenerationRequest.from_json(about.request).output or ""
        except MagiError:
            return None
        with self._changed:
            return self._jobs.get(Path(output).parent.name)

    def add(self, owner: str, text: str, key: str, preview: bool) -> tuple[Job, bool]:
        """Line up a video; returns its job, and whether it is new.

        Raises:
            InvalidRequestError: see :meth:`accepted`; or there are too many.
        """
        if not _KEY.fullmatch(key):
            raise InvalidRequestError("That is no key of a request.", "Use 8 to 64 digits, 0 to f.")
        with self._changed:
            own = [job for job in self._jobs.values() if job.about.owner == owner]
            for job in own:
                if job.about.key == key:
                    return job, False
            if sum(job.last is None for job in own) >= MOST_WAITING:
                raise InvalidRequestError(
                    "{most} videos are waiting already.",
                    "Wait until some are done.",
                    most=MOST_WAITING,
                )
            job_id = secrets.token_hex(16)
            request = self.accepted(owner, text, FOLDER / job_id)
            job = Job(job_id, JobAbout(owner, text, key, time.time()), request)
            job.preview = preview
            self._make_room()
            try:
                about = dataclasses.asdict(job.about)
                atomic.write_text(job.folder / "job.json", json.dumps(about))
            except OSError:
                shutil.rmtree(job.folder, ignore_errors=True)
                raise
            if ahead := len(self._waiting()):
                job.say(Notice(Message("{count} videos are made before this one.", count=ahead)))
            self._jobs[job_id] = job
            self._changed.notify_all()
        if self._log_prompts:
            logger.info("job %s: %r", job_id, [change.text for change in request.prompts])
        return job, True

    def control(self, job: Job, command: Command) -> None:
        """Tell a job something, whether it has begun or not."""
        with self._changed:
            if job is self._running:
                self._engine.control(command)
            elif isinstance(command, Cancel) and job.last is None:
                job.say(Cancelled(None, 0))
            else:
                job.commands.append(command)

    def remove(self, job: Job) -> None:
        """End a job, and delete what there is of it."""
        self.control(job, Cancel())
        with self._changed:
            self._changed.wait_for(lambda: job is not self._running)
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """End the thread; a job under way is cancelled by closing the engine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._engine.close()
        self._thread.join()

    def _load(self, folder: Path) -> None:
        if not _ID.fullmatch(folder.name):
            return
        try:
            about = read_fields(JobAbout, read_json(folder / "job.json"))
            request = GenerationRequest.from_json(about.request)
            suffix = output_suffix(Path(request.output or "video.mp4"))
        except (OSError, ValueError, MagiError) as error:
            logger.warning("job %s cannot be read: %s", folder.name, error)
            return
        request = dataclasses.replace(request, output=str(folder / f"video{suffix}"))
        job = self._jobs[folder.name] = Job(folder.name, about, request)
        job.load_events()
        if job.state == "waiting":
            try:
                job.request = self.accepted(about.owner, about.request, folder)
            except MagiError as error:
                job.say(Failed(error, None, 0))

    def _make_room(self) -> None:
        ended = [job for job in self._jobs.values() if job.last is not None]
        sizes = {
            j: sum(p.stat().st_size for p in j.folder.rglob("*") if p.is_file()) for j in ended
        }
        used = sum(sizes.values())
        room = used + shutil.disk_usage(FOLDER).free - _SPARE_BYTES
        for job in sorted(ended, key=lambda job: job.about.created_s):
            if used <= min(self._keep_bytes, room):
                break
            used -= sizes[job]
            del self._jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)

    def _next(self) -> tuple[Job, Iterator[Event]] | None:
        """The job that is to be made now, begun; None: the program ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting())
            if self._closed:
                return None
            job = self._running = min(self._waiting(), key=lambda job: job.about.created_s)
            events = self._engine.generate(job.request, preview=job.preview)
            for command in job.commands:
                self._engine.control(command)
            return job, events

    def _waiting(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.last is None]

    def _work(self) -> None:
        for job in [job for job in self._jobs.values() if job.state == "running"]:
            with self._changed:
                if job.last is not None:
                    continue
                self._running = job  # whoever deletes it waits
            job.end_interrupted()
            self._rest()
        while (begun := self._next()) is not None:
            job, events = begun
            try:
                for event in events:
                    if self._closed and isinstance(event, Cancelled):
                        event = Failed(_restarted(), event.path, event.frames)
                    job.say(event)
            except Exception as error:
                logger.exception("job %s failed", job.id)
                if job.last is None:
                    job.say(Failed(named_error(error), None, 0))
            self._rest()

    def _rest(self) -> None:
        with self._changed:
            self._running = None
            self._changed.notify_all()


def _restarted() -> MagiError:
    return EngineDiedError("The server was restarted.", "Try again; it goes on from there.")


def _is_last(event: dict[str, Any]) -> bool:
    return event["event"] in _LAST


def _names_a_path(field: str) -> InvalidRequestError:
    return InvalidRequestError(
        "A request to another machine names no files of it: {field}.",
        "Leave it out, or give a name without folders.",
        field=field,
    )
