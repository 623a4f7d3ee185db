"""The videos that clients have asked for: made one after the other, kept until they are fetched.

A job goes on whoever watches. After a restart all of it is there again; a video that was being
made then, or whose engine has died, is gone on with behind its last whole chunk.
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from magi_engine import atomic
from magi_engine.config.places import default_takes_dir
from magi_engine.errors import EngineDiedError, InvalidRequestError, MagiError
from magi_engine.json_text import parse_json, read_fields, read_json
from magi_engine.media.targets import output_suffix
from magi_engine.messages import Message
from magi_engine.runtime.job.events import Cancelled, Failed, Notice, PromptChanged
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.process.errors import named_error
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.serve.job import FOLDER, Job, JobAbout, Maker, job_id_of
from magi_engine.serve.uploads import KEPT_BYTES, Uploads
from magi_engine.takes.store import TakeStore, not_kept

logger = logging.getLogger(__name__)

MOST_WAITING = 100
"""Jobs of one owner that have not ended."""

_SPARE_BYTES = 1_000_000_000
"""Left free on the disk where the oldest jobs can make room."""

_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{8,64}")
_NAME = re.compile(r"[^/\\:\0\ud800-\udfff]+")


class JobBook:
    """All jobs, and the threads that have them made in their order.

    Args:
        maker_of: what makes a job; entered each time that one begins, and left when it is over.
        keep_bytes: what the jobs that have ended may take up; the oldest go.
        log_prompts: whether what is asked for is logged.
        at_once: how many jobs are given to their makers at the same time.
    """

    def __init__(
        self,
        maker_of: Callable[[Job], contextlib.AbstractContextManager[Maker]],
        uploads: Uploads,
        keep_bytes: int = KEPT_BYTES,
        log_prompts: bool = False,
        at_once: int = 1,
    ) -> None:
        self._maker_of, self._uploads = maker_of, uploads
        self._keep_bytes, self._log_prompts = keep_bytes, log_prompts
        self._at_once = at_once
        self._jobs: dict[str, Job] = {}
        self._takes = TakeStore(default_takes_dir())
        self._changed = threading.Condition()
        self._closing = threading.Event()
        FOLDER.mkdir(exist_ok=True)
        for folder in sorted(FOLDER.iterdir()):
            self._load(folder)
        self._pool = ThreadPoolExecutor(at_once, "jobs")
        for job in sorted(self._waiting(), key=lambda job: job.about.created_s):
            self._pool.submit(self._make, job)

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

    def with_key(self, owner: str, key: str) -> Job | None:
        """An owner's job that was asked for with a key; None: there is none."""
        return next((job for job in self.of(owner) if job.about.key == key), None)

    def waiting(self) -> int:
        """How many jobs of all owners have not ended."""
        with self._changed:
            return len(self._waiting())

    def making(self) -> bool:
        """Whether a video of anybody is being made."""
        with self._changed:
            return any(job.busy for job in self._jobs.values())

    def accepted(self, owner: str, text: str, output: Path | None = None) -> GenerationRequest:
        """A client's request as the engine here is told it.

        Args:
            output: the folder of its video.

        Raises:
            InvalidRequestError: it is none, or names a file.
        """
        request = _parsed(text)
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
            job_id = job_id_of(self._takes.find(take))
        except MagiError:
            return None
        with self._changed:
            return self._jobs.get(job_id)

    def add(self, owner: str, text: str, key: str, preview: bool) -> tuple[Job, bool]:
        """Line up a video; returns its job, and whether it is new.

        Raises:
            InvalidRequestError: see :meth:`accepted`; or there are too many.
        """
        if not _KEY.fullmatch(key):
            raise InvalidRequestError("That is no key of a request.", "Use 8 to 64 digits, 0 to f.")
        with self._changed:
            own = [job for job in self._jobs.values() if job.about.owner == owner]
            if (job := self.with_key(owner, key)) is not None:
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
            ahead = len(self._waiting()) + 1 - self._at_once
            if ahead > 0:
                job.say(
                    Notice(
                        Message("{count:video is|videos are} made before this one.", count=ahead)
                    )
                )
            self._jobs[job_id] = job
            self._pool.submit(self._make, job)
        if self._log_prompts:
            logger.info("job %s: %r", job_id, [change.text for change in request.prompts])
        return job, True

    def control(self, job: Job, command: Command) -> None:
        """Tell a job something, whether it has begun or not."""
        with self._changed:
            if isinstance(command, Cancel) and job.last is None and not job.busy:
                job.say(Cancelled(None, 0))
                return
            job.commands.append(command)
            if job.maker is not None:
                job.maker.control(command)

    def remove(self, job: Job) -> None:
        """End a job, and delete what there is of it."""
        self.control(job, Cancel())
        with self._changed:
            self._changed.wait_for(lambda: not job.busy)
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """End the threads; jobs under way go on when there is a book again."""
        with self._changed:
            self._closing.set()
            makers = [job.maker for job in self._jobs.values() if job.maker is not None]
        for maker in makers:
            maker.close()
        self._pool.shutdown(cancel_futures=True)

    def _load(self, folder: Path) -> None:
        if not _ID.fullmatch(folder.name):
            return
        try:
            about = read_fields(JobAbout, read_json(folder / "job.json"))
            request = GenerationRequest.from_json(about.request)
            suffix = output_suffix(Path(request.output or "video.mp4"))
            request = dataclasses.replace(request, output=str(folder / f"video{suffix}"))
            job = Job(folder.name, about, request)
            job.load_events()
        except (OSError, ValueError, MagiError) as error:
            logger.warning("job %s cannot be read: %s", folder.name, error)
            return
        self._jobs[folder.name] = job
        if job.last is None:
            try:
                job.wished = self.accepted(about.owner, about.request, folder)
            except MagiError as error:  # said once what there is of it is saved
                job.refused = error
            job.made_again(job.wished)

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

    def _waiting(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.last is None]

    def _make(self, job: Job) -> None:
        with self._changed:
            if job.last is not None:
                return
            job.busy = True
        died = job.refused or (_restarted() if job.state == "running" else None)
        try:
            while not self._closing.is_set() and job.last is None:
                if died is not None:
                    job.save(self._closing)
                    if self._closing.is_set():
                        break
                    if not job.begin_again(self._takes):
                        job.say(Failed(died, None, 0))
                        break
                died = self._make_on(job)
            if job.last is not None and job.deaths[0]:
                self._forget_takes_but_one(job)
        except Exception as error:
            logger.exception("job %s failed", job.id)
            if job.last is None:
                job.say(Failed(named_error(error), None, 0))
        finally:
            with self._changed:
                job.busy = False
                self._changed.notify_all()

    def _make_on(self, job: Job) -> MagiError | None:
        """Have an engine make a job, or what is left of it; returns of what it has died."""
        with self._maker_of(job) as maker:
            with self._changed:
                if self._closing.is_set():
                    return None
                job.maker = maker
                events = maker.generate(job.request, preview=job.preview)
                for command in job.commands:
                    maker.control(command)
            try:
                for event in events:
                    if isinstance(event, Failed) and isinstance(event.error, EngineDiedError):
                        return event.error
                    if self._closing.is_set() and isinstance(event, Cancelled):
                        break
                    if isinstance(event, PromptChanged):
                        with self._changed:
                            job.obeyed(event)
                    job.say(event)
            finally:
                with self._changed:
                    job.maker = None
        return None if job.last is not None or self._closing.is_set() else _restarted()

    def _forget_takes_but_one(self, job: Job) -> None:
        """Remove the takes of engines that have died over a job: the last one holds their chunks,
        and so it does if that is another's."""
        own = [take for take in self._takes.all() if job_id_of(take) == job.id]
        for take in sorted(own, key=lambda take: take.chunks)[:-1]:
            self._takes.remove(take.name)


def _restarted() -> MagiError:
    return EngineDiedError("The server was restarted.", "Try again; it goes on from there.")


def _parsed(text: str) -> GenerationRequest:
    """Raises: InvalidRequestError: it is no request."""
    try:
        is_object = isinstance(parse_json(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise InvalidRequestError(
            "The body is no request in JSON.", "Send one as the page of the API says."
        )
    return GenerationRequest.from_json(text)


def _names_a_path(field: str) -> InvalidRequestError:
    return InvalidRequestError(
        "A request to another machine names no files of it: {field}.",
        "Leave it out, or give a name without folders.",
        field=field,
    )
