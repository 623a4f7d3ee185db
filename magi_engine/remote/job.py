"""One video that another machine makes: its events, its growing file, its end."""

from __future__ import annotations

import contextlib
import dataclasses
import filecmp
import itertools
import json
import logging
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from magi_engine.atomic import put_in_place
from magi_engine.disk import write_error
from magi_engine.errors import MagiError
from magi_engine.json_text import parse_json
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import free_name, remote_part
from magi_engine.messages import Message, in_sequence
from magi_engine.remote.connection import Connection, NotNow, Unreachable, another_version
from magi_engine.remote.growing import GrowingVideo, frames_of_file
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunksShared,
    Event,
    Failed,
    Finished,
    Notice,
    Planned,
    Restarted,
    Stage,
    StageStarted,
    event_from_dict,
)
from magi_engine.runtime.process.control import Cancel, Command, command_to_dict
from magi_engine.runtime.request.request import GenerationRequest

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Before each new try to connect; the last one again and again."""

_SHORT_CUT = 1
"""Tries in vain after the first that nobody is told of."""

_HASH = re.compile(r"[0-9a-f]{64}")
_ENDS = (Finished.kind, Cancelled.kind, Failed.kind)


class _GaveUp(Exception):
    """Nobody wants to wait any longer: the program ends, or the job is cancelled and nobody there
    can be told."""


class RemoteJob:
    """Follows one job. Iterate :meth:`events` once; the other methods are for any thread.

    Attributes:
        left: nobody listens any more.
        settled: what has become of the video was told; there is nothing more to fetch.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.left = self.settled = False
        self._wake = threading.Event()
        """Whatever is waited for between two tries: somebody has something to say."""
        self._changed = threading.Condition()
        self._commands: dict[str, Command] = {}
        """Those that have not been heard there, by their ids."""
        self._socket: ClientConnection | None = None
        self._number = 0
        """Of the last event that has come."""
        self._source_frames: int | None = 0
        """Of a clip in front of the result in its file; None: not known."""
        self._pending: list[dict[str, Any]] = []
        """Events that have come and were not given out: they wait for their frames."""
        self._stage = StageStarted(Stage.WAITING).to_exact_dict()
        """The last one that was told there."""

    def control(self, command: Command) -> None:
        """Tell the job something, now or as soon as there is a connection; returns at once."""
        with self._changed:
            self._commands[secrets.token_hex(8)] = command
            self._changed.notify_all()
        self._wake.set()

    def leave(self) -> None:
        """Listen no longer; takes a moment."""
        self.left = True
        self._wake.set()
        with self._changed:
            socket = self._socket
            self._changed.notify_all()
        if socket is not None:
            with contextlib.suppress(WebSocketException, OSError):
                socket.close()

    def events(
        self, request: GenerationRequest, begin: Callable[[], str], tries: int | None = None
    ) -> Iterator[Event]:
        """What happens, until the video is here; it just ends if nobody listens any more.

        Args:
            begin: gives the id of the job there; may be called again.
            tries: to reach anybody, before it is begun; None: as many as it takes.

        Raises:
            Unreachable: all of these were in vain.
            MagiError: the other side refuses before there is a job.
        """
        output = Path(request.output or "")
        part: Path | None = None
        frames = 0
        try:
            if tries is not None:
                yield from self._patiently(self._reach, tries)
            job_id = yield from self._patiently(begin)
            yield StageStarted(Stage.WAITING)
            suffix = output.suffix.lower()
            part = remote_part(output, job_id, suffix if suffix == ".webm" else ".mp4")
            for event in self._followed(job_id, request, output, part):
                frames += len(event.frames) if isinstance(event, ChunkReady) else 0
                if isinstance(event, Cancelled | Failed):  # there may be nothing left of it there
                    event = dataclasses.replace(event, frames=max(event.frames, frames))
                if isinstance(event, Failed):
                    event = dataclasses.replace(event, error=named_as_here(event.error, request))
                yield event
        except _GaveUp:
            if not self.left:
                self.settled = True
                yield Cancelled(_saved(part), frames)
        except MagiError as error:
            if part is None:
                raise
            yield Failed(error, _saved(part), frames)

    def _followed(
        self, job_id: str, request: GenerationRequest, output: Path, part: Path
    ) -> Iterator[Event]:
        # Frames of a clip in front are in the growing file, but not among those of the events.
        self._source_frames = None if request.prepend_source else 0
        video = GrowingVideo(part)
        last: dict[str, Any] = {}
        for data in self._listen(job_id, video):
            if data is not None and data["event"] in _ENDS:
                last = data
            elif data is not None:
                self._pending.append(data)
            yield from self._ready(video, request)
        with self._changed:
            self._commands.clear()  # they came too late
        path = yield from self._patiently(lambda: self._fetched(job_id, request, output, part))
        self._check_not_left()  # the next session finds it in its place
        yield from self._rest(path, request)
        self.settled = True
        yield _ended(last, path)

    def _reach(self) -> None:
        """Raises: Unreachable: nobody answers. MagiError: they refuse."""
        with contextlib.suppress(NotNow):
            self._connection.get("/v1/jobs")

    def _patiently(
        self, ask: Callable[[], _T], most_tries: int | None = None
    ) -> Generator[Event, None, _T]:
        """Ask until somebody answers, and say that it is waited for.

        Raises: _GaveUp; Unreachable: nobody has answered so many; MagiError: they refuse.
        """
        for tries in itertools.count():
            self._check_not_left()
            try:
                return ask()
            except Unreachable as error:
                if tries + 1 == most_tries:
                    raise
                logger.info("%s", error)
                problem = in_sequence(error.message, error.hint)
            self._rest_before(tries)
            if tries == _SHORT_CUT:
                yield StageStarted(Stage.CONNECTING)
                yield Notice(problem)
        raise AssertionError

    def _check_not_left(self) -> None:
        """Raises: _GaveUp."""
        if self.left:
            raise _GaveUp

    def _rest_before(self, tries: int) -> None:
        """Wait before another try, unless there is something to say. Raises: _GaveUp."""
        with self._changed:
            cancelled = any(isinstance(c, Cancel) for c in self._commands.values())
        if not (cancelled and tries):
            self._wake.wait(_WAITS_S[min(tries, len(_WAITS_S) - 1)])
            self._wake.clear()
            if not self.left:
                return
        raise _GaveUp

    def _listen(self, job_id: str, video: GrowingVideo) -> Iterator[dict[str, Any] | None]:
        """The events that come over one connection after another, until the last one; None: bytes
        of the video have come. After a cut that was told of, the last stage is told again.

        Raises:
            MagiError: the other side refuses, or is another one.
        """
        tries = 0
        while True:
            try:
                with self._connected(job_id, video) as socket:
                    if tries > _SHORT_CUT:
                        yield self._stage
                    tries = 0
                    for message in socket:
                        data = self._taken(message, video)
                        yield data
                        if data is not None and data["event"] in _ENDS:
                            return
            except InvalidStatus as refused:
                if refused.response.status_code not in (429, 503):
                    # Says why, in words.
                    ask = partial(self._connection.get, f"/v1/jobs/{job_id}")
                    yield from (event.to_exact_dict() for event in self._patiently(ask))
                logger.info("%s", refused)
            except (WebSocketException, OSError) as error:
                logger.info("the connection is cut: %s", error)
            if tries == _SHORT_CUT:
                yield Notice(self._cut()).to_exact_dict()
                yield StageStarted(Stage.CONNECTING).to_exact_dict()
            self._rest_before(tries)
            tries += 1

    def _cut(self) -> Message:
        return Message(
            "{address} does not answer any more; the video goes on there, and this program tries "
            "again.",
            address=self._connection.address,
        )

    @contextlib.contextmanager
    def _connected(self, job_id: str, video: GrowingVideo) -> Iterator[ClientConnection]:
        query = f"after={self._number}&from_byte={video.size}"
        with self._connection.socket(f"/v1/jobs/{job_id}/events?{query}") as socket:
            with self._changed:
                self._socket = socket
            speaker = threading.Thread(target=self._speak, args=(socket,), daemon=True)
            speaker.start()
            try:
                self._check_not_left()  # else it was too early to close this one
                yield socket
            finally:
                with self._changed:
                    self._socket = None
                    self._changed.notify_all()

    def _speak(self, socket: ClientConnection) -> None:
        """Send commands over a connection as long as it is the one in use."""
        sent: set[str] = set()

        def new() -> list[str]:
            return [name for name in self._commands if name not in sent]

        with contextlib.suppress(WebSocketException, OSError):  # all is told again
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._socket is not socket or new())
                    if self._socket is not socket:
                        return
                    waiting = {name: self._commands[name] for name in new()}
                for name, command in waiting.items():
                    socket.send(json.dumps({**command_to_dict(command), "id": name}))
                    sent.add(name)

    def _taken(self, message: str | bytes, video: GrowingVideo) -> dict[str, Any] | None:
        if isinstance(message, bytes):
            try:
                video.take(message)
            except OSError as error:
                raise write_error(error, video.part) from error
            return None
        data = parse_json(message)
        if "number" not in data:
            with self._changed:
                self._commands.pop(data.get("heard", ""), None)
            return None
        self._number = data["number"]
        if data["event"] == StageStarted.kind:
            self._stage = data
        if data["event"] == Restarted.kind:
            video.begin_again()
        return data

    def _ready(self, video: GrowingVideo, request: GenerationRequest) -> Iterator[Event]:
        """The events that can be given out: those with frames in their order once these have come,
        the others at once."""
        waiting: list[dict[str, Any]] = []
        for data in self._pending:
            count, frames = _frames_in(data), None
            if count is not None:
                if self._source_frames is not None and not waiting:
                    frames = video.frames(count)
                if frames is None:
                    waiting.append(data)
                    continue
            yield _event(data, request, frames)
        self._pending = waiting

    def _rest(self, path: Path | None, request: GenerationRequest) -> Iterator[Event]:
        """What still waited at the end, with frames from the finished file."""
        pictures: Iterator[NDArray[np.uint8]] | None = None
        for data in self._pending:
            frames = None
            if data["event"] == ChunkReady.kind:
                if path is None or not path.is_file():
                    continue
                if pictures is None:
                    pictures = frames_of_file(path, data["first_frame"])
                taken = list(itertools.islice(pictures, data["num_frames"]))
                if len(taken) < data["num_frames"]:
                    continue
                frames = np.stack(taken)
            yield _event(data, request, frames)

    def _fetched(
        self, job_id: str, request: GenerationRequest, output: Path, grown: Path
    ) -> Path | None:
        """The finished video, brought here instead of what has grown, or that if it is all there
        is; None: there is none.

        Raises:
            Unreachable: the connection is cut; the next call goes on. MagiError: it is gone.
        """
        about = self._connection.get(f"/v1/jobs/{job_id}")
        if not about["files"]:
            return _saved(grown)
        last = Path(str(about["last"]["path"]))
        folder = not last.suffix
        output = output if folder else output.with_suffix(last.suffix)
        part = remote_part(output, f"{job_id} whole", last.suffix)
        if folder:
            part.mkdir(exist_ok=True)
        for index, file in enumerate(about["files"]):
            target = part / Path(str(file["name"])).name if folder else part
            self._fetch(f"/v1/jobs/{job_id}/files/{index}", target, int(file["bytes"]))
        if self.left:  # then the next session finds it, and says so
            raise Unreachable("The program is closing.")
        is_whole = about["last"]["event"] == Finished.kind  # else it replaces nothing, as here
        replaces = request.writing.overwrite and is_whole and not folder
        target = output if replaces else free_name(output)
        try:
            grown.unlink(missing_ok=True)
            if _are_same(part, output):  # put there by a session that could not say so any more
                shutil.rmtree(part) if folder else part.unlink()
                return output
            if target.is_dir():  # an empty one
                target.rmdir()
            put_in_place(part, target)
        except OSError as error:
            raise write_error(error, target) from error
        return target

    def _fetch(self, path: str, target: Path, size: int) -> None:
        try:
            if target.is_file() and target.stat().st_size == size:  # of an earlier try
                return
            with target.open("ab") as file:
                for piece in self._connection.fetch(path, file.tell()):
                    file.write(piece)
                    if self.left:
                        raise Unreachable("The program is closing.")
                if file.tell() != size:
                    raise Unreachable("{name} has not come whole.", name=target.name)
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(error, target) from error


def named_as_here(error: MagiError, request: GenerationRequest) -> MagiError:
    """An error there whose words name the reference: there it is called by its hash."""
    if request.reference is None:
        return error
    name = Path(request.reference).name

    def named(message: Message) -> Message:
        hashes = [n for n, value in message.values.items() if _HASH.fullmatch(str(value))]
        return message.filled(**dict.fromkeys(hashes, name))

    return type(error)(named(error.message), named(error.hint))


def _event(
    data: dict[str, Any], request: GenerationRequest, frames: NDArray[np.uint8] | None = None
) -> Event:
    """An event as it would be here. Raises: RemoteError: it cannot be read."""
    try:
        event = event_from_dict(data, frames if data["event"] == ChunkReady.kind else None)
    except (ValueError, LookupError, TypeError, OSError) as error:
        logger.info("an event cannot be read: %s", error)
        raise another_version() from error
    if isinstance(event, Planned):
        return Planned(dataclasses.replace(event.plan, request=request))
    return event


def _frames_in(data: dict[str, Any]) -> int | None:
    """How many frames come with an event; None: there are none to wait for."""
    name = {ChunkReady.kind: "num_frames", ChunksShared.kind: "frames"}.get(data["event"])
    return None if name is None else data[name]


def _ended(data: dict[str, Any], path: Path | None) -> Event:
    if data["event"] == Failed.kind:
        return Failed(MagiError.from_dict(data["exact"]["error"]), path, data["frames"])
    if data["event"] == Cancelled.kind:
        return Cancelled(path, data["frames"])
    return Finished(path, data["frames"], data["elapsed_s"])


def _are_same(one: Path, other: Path) -> bool:
    """Whether two files, or two folders of files, hold the same."""
    if not other.exists() or one.is_dir() != other.is_dir():
        return False
    if one.is_file():
        return filecmp.cmp(one, other, shallow=False)
    names = sorted(os.listdir(one))
    same, _, _ = filecmp.cmpfiles(one, other, names, shallow=False)
    return same == names == sorted(os.listdir(other))


def _saved(part: Path | None) -> Path | None:
    """What has come of a video that cannot be fetched any more."""
    if part is None or not part.is_file():
        return None
    try:
        return recover_partial(part)
    except MagiError as error:
        logger.info("nothing of %s can be used: %s", part.name, error)
        return None
