"""Takes on the disk: the latents of videos, chunk by chunk, with what they were made from.

A take is a folder that is named by when it began::

    20261128-094455-3f9a01/    UTC; the last part counts sixteenths of a microsecond
        take.json              what the video is, and the request it was made from
        prefix.safetensors     latents that it started from, if any
        000000.safetensors     latents of chunk 0, with the hash of their bytes
        000001.safetensors     ...
        pinned                 is there if the take is never tidied away

Each file, and the folder itself, is written beside its place and renamed, so that after a kill at
any byte everything that is there is whole. A take that goes on from another one holds the chunks
before by hard links, or copies of them: any take can be removed without harm to the others.

Needs no PyTorch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from magi_engine.atomic import put_in_place, replacing, sync_folder, write_text
from magi_engine.disk import writing
from magi_engine.errors import DISK_FULL, DiskFullError, MagiError, TakeError
from magi_engine.json_text import read_fields, read_json
from magi_engine.late import np

logger = logging.getLogger(__name__)

DEFAULT_LIMIT_BYTES = 20_000_000_000
"""About two hours of video of 720x720."""
MOST_LIMIT_GB = 1_000_000

_FORMAT_VERSION = 1
_ABANDONED_S = 3600.0
"""A file that was begun so long ago is not being written any more by another program."""
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_ABOUT = "take.json"
_PREFIX = "prefix.safetensors"
_PINNED = "pinned"
_LIMIT = "limit.json"
_LEAVING = ".leaving-"


@dataclass(frozen=True)
class About:
    """What a take is of.

    Attributes:
        request: the request as JSON, as it stands in the video's metadata.
        fps: frames per second.
        chunk_width: latent frames of a whole chunk.
        in_front: whether the prefix comes before the first chunk; else the first chunk begins
            with it.
        first_frames: frames of the first chunk.
        chunk_frames: of every other one.
        num_frames: of the whole video, by the plan; None: it has no end.
        source_frames: of a clip that stands in front of the first chunk in the file.
    """

    request: str
    fps: float
    chunk_width: int
    in_front: bool
    first_frames: int
    chunk_frames: int
    num_frames: int | None
    source_frames: int = 0

    def frames_before(self, chunk: int) -> int:
        """Frames of the video before a chunk, if all before are whole."""
        return 0 if chunk == 0 else self.first_frames + (chunk - 1) * self.chunk_frames


@dataclass(frozen=True)
class Take:
    """A take as it is on the disk now.

    Attributes:
        chunks: how many of its chunks are whole.
        prefix_latents: latent frames that it started from.
        size_bytes: what removing it would free.
    """

    folder: Path
    about: About
    chunks: int
    prefix_latents: int
    size_bytes: int
    pinned: bool

    @property
    def name(self) -> str:
        """By which it is found again."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether all chunks that were planned are there."""
        wanted = self.about.num_frames
        return wanted is not None and self.about.frames_before(self.chunks) >= wanted

    @property
    def frames(self) -> int:
        """Frames of the video that its chunks make up."""
        made = self.about.frames_before(self.chunks)
        return made if self.about.num_frames is None else min(made, self.about.num_frames)

    def latents_before(self, chunk: int) -> int:
        """Latent frames before a chunk of the video, those of the prefix included."""
        if chunk == 0:
            return self.prefix_latents
        before = self.prefix_latents if self.about.in_front else 0
        return (before // self.about.chunk_width + chunk) * self.about.chunk_width

    def read(self, chunk: int) -> np.typing.NDArray[np.float32]:
        """The latents of a chunk, (1, 16, T, h, w).

        Raises:
            TakeError: it is missing or damaged.
        """
        return _read(self.folder / _chunk_name(chunk))

    def start(self, chunk: int) -> np.typing.NDArray[np.float32] | None:
        """All latents before a chunk, (1, 16, T, h, w); None: there are none.

        Raises:
            TakeError: some are missing or damaged.
        """
        parts = [self.read(index) for index in range(chunk)]
        if self.prefix_latents and (self.about.in_front or chunk == 0):
            parts.insert(0, _read(self.folder / _PREFIX))
        if not parts:
            return None
        latents = np.concatenate(parts, axis=2)
        if latents.shape[2] != self.latents_before(chunk):
            raise _damaged(self.folder)
        return latents


@dataclass(frozen=True)
class Unreadable:
    """A take that is damaged, or of a newer program.

    Attributes:
        size_bytes: of all its files.
        error: what is wrong with it.
    """

    name: str
    size_bytes: int
    error: TakeError


class TakeWriter:
    """Appends to one take. Whatever ends it, what was appended stays."""

    def __init__(self, folder: Path, about: About) -> None:
        self._folder, self._about = folder, about
        self._chunks = 0
        with _told(folder):
            self._folder = folder.with_name(f".{folder.name}.part")
            self._folder.mkdir(parents=True)
            self._say()
            put_in_place(self._folder, folder)
        self._folder = folder

    @property
    def name(self) -> str:
        """The take's name."""
        return self._folder.name

    def describe(self, request: str) -> None:
        """Note that the video is made as ``request`` says from now on.

        Raises:
            TakeError, DiskFullError: it cannot be written.
        """
        self._about = dataclasses.replace(self._about, request=request)
        with _told(self._folder):
            self._say()

    def prefix(self, latents: np.typing.NDArray[np.float32]) -> None:
        """Keep what the video starts from, (1, 16, T, h, w); as :meth:`append`."""
        self._write(_PREFIX, latents)

    def share(self, other: Take, chunks: int) -> None:
        """Begin with the prefix and the first chunks of another take; as :meth:`append`."""
        names = [_PREFIX] if other.prefix_latents else []
        with _told(self._folder):
            for name in [*names, *map(_chunk_name, range(chunks))]:
                _link(other.folder / name, self._folder / name)
            sync_folder(self._folder)
        self._chunks = chunks

    def append(self, latents: np.typing.NDArray[np.float32]) -> None:
        """Keep the latents of the next chunk, (1, 16, T, h, w); they survive a power cut then.

        Raises:
            TakeError, DiskFullError: they cannot be written; those before are as they were.
        """
        self._write(_chunk_name(self._chunks), latents)
        self._chunks += 1

    def _write(self, name: str, latents: np.typing.NDArray[np.float32]) -> None:
        from safetensors.numpy import save

        latents = np.ascontiguousarray(latents, np.float32)
        data = save({"latents": latents}, {"sha256": _digest(latents)})
        with _told(self._folder), replacing(self._folder / name) as fresh:
            fresh.write_bytes(data)

    def _say(self) -> None:
        values = {"version": _FORMAT_VERSION, **vars(self._about)}
        write_text(self._folder / _ABOUT, json.dumps(values, ensure_ascii=False))


class Takes(Protocol):
    """Takes, here or on another machine."""

    def find(self, name: str) -> Take: ...

    def all(self) -> list[Take]: ...

    def check(self, take: Take) -> None: ...


class TakeStore:
    """All takes of a person, and the limit to what they take up.

    Args:
        folder: where they are; need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def limit_bytes(self) -> int:
        """What all takes together may take up; 0: none are kept."""
        try:
            limit = read_json(self.folder / _LIMIT)["bytes"]
        except (OSError, ValueError, LookupError, TypeError):
            return DEFAULT_LIMIT_BYTES
        return limit if isinstance(limit, int) and limit >= 0 else DEFAULT_LIMIT_BYTES

    @limit_bytes.setter
    def limit_bytes(self, limit: int) -> None:
        with writing(self.folder):
            write_text(self.folder / _LIMIT, json.dumps({"bytes": limit}))

    @property
    def size_bytes(self) -> int:
        """What all takes that can be read take up; what several share counts once.

        The others do not count: no good take is to go because of what cannot be tidied away.
        """
        return self._size_of(self.all())

    def begin(self, about: About, name: str | None = None) -> TakeWriter:
        """Start a take.

        Args:
            name: one of :func:`new_name`.

        Raises:
            TakeError, DiskFullError: it cannot be written.
        """
        return TakeWriter(self.folder / (name or new_name()), about)

    def find(self, name: str) -> Take:
        """A take by its name.

        Raises:
            TakeError: it is not there, or damaged.
        """
        return _look_at(self._folder_of(name))

    def all(self) -> list[Take]:
        """Every take that can be read, the newest first."""
        return self._looked_at()[0]

    def unreadable(self) -> list[Unreadable]:
        """Every other one, the newest first."""
        return [
            Unreadable(folder.name, sum(self._sizes([folder]).values()), error)
            for folder, error in self._looked_at()[1]
        ]

    def check(self, take: Take) -> None:
        """Read all of a take.

        Raises:
            TakeError: some of it is missing or damaged.
        """
        for chunk in range(take.chunks):
            take.read(chunk)

    def pin(self, name: str, pinned: bool) -> None:
        """Never tidy a take away, or do.

        Raises:
            TakeError: as :meth:`find`. OutputError: it cannot be written.
        """
        mark = self.find(name).folder / _PINNED
        with writing(mark):
            mark.touch() if pinned else mark.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete a take, even one that cannot be read; its video stays.

        Raises:
            TakeError: it is not there. OutputError: it cannot be removed.
        """
        folder = self._folder_of(name)
        # Renamed first: a take that is half removed is no take.
        leaving = folder.with_name(f"{_LEAVING}{folder.name}")
        with writing(folder):
            os.replace(folder, leaving)
            shutil.rmtree(leaving)

    def tidy(self, *keep: str) -> list[str]:
        """Remove what killed programs left, and the oldest takes above the limit, but none that
        another program seems to be writing.

        Args:
            keep: takes that are in use.

        Returns:
            The names of the takes that went.
        """
        if not self.folder.is_dir():
            return []
        for path in self.folder.glob(f"{_LEAVING}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in [*self.folder.glob("*/.*.part"), *self.folder.glob(".*.part")]:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        gone: list[str] = []
        left = self.all()
        for take in reversed(left.copy()):
            if self._size_of(left) <= self.limit_bytes:
                break
            if take.pinned or take.name in keep or _is_growing(take):
                continue
            try:
                self.remove(take.name)
            except MagiError as error:  # in use, or no longer there
                logger.warning("%s stays: %s", take.folder, error)
            else:
                left.remove(take)
                gone.append(take.name)
        return gone

    def loose(self) -> tuple[list[Take], int]:
        """Those that may be removed all together, and what that would free: not those that are
        pinned, nor those that another program seems to be writing."""
        takes = self.all()
        loose = [take for take in takes if not take.pinned and not _is_growing(take)]
        going = self._sizes(take.folder for take in loose)
        stays = self._sizes(take.folder for take in takes if take not in loose)
        return loose, sum(size for file, size in going.items() if file not in stays)

    def _looked_at(self) -> tuple[list[Take], list[tuple[Path, TakeError]]]:
        """The takes that can be read, and the others with what is wrong; the newest first."""
        takes, others = [], []
        for folder in self._folders():
            try:
                takes.append(_look_at(folder))
            except TakeError as error:
                logger.warning("%s: %s", folder, error)
                others.append((folder, error))
        return takes, others

    def _size_of(self, takes: Iterable[Take]) -> int:
        return sum(self._sizes(take.folder for take in takes).values())

    def _sizes(self, folders: Iterable[Path]) -> dict[tuple[int, int], int]:
        """Of each file in some takes, by what it is on the disk."""
        sizes: dict[tuple[int, int], int] = {}
        for folder in folders:
            with contextlib.suppress(OSError):  # another program has just removed it
                for file in _files(folder).values():
                    sizes[file.st_dev, file.st_ino] = file.st_size
        return sizes

    def _folder_of(self, name: str) -> Path:
        folder = self.folder / name
        if not is_take_name(name) or not folder.is_dir():
            raise not_kept()
        return folder

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        found = (path for path in self.folder.iterdir() if _ID.fullmatch(path.name))
        return sorted((path for path in found if path.is_dir()), reverse=True)


def _is_growing(take: Take) -> bool:
    """Whether another program may be writing it, or was until a moment ago."""
    with contextlib.suppress(OSError):
        return not take.finished and time.time() - take.folder.stat().st_mtime < _ABANDONED_S
    return False


def is_take_name(name: str) -> bool:
    """Whether a take could be called so."""
    return _ID.fullmatch(name) is not None


def not_kept() -> TakeError:
    """What to say of a take that is not there."""
    return TakeError(
        "What it takes to redo this video is no longer kept.", "Continue it from its file instead."
    )


def new_name() -> str:
    """A name for a take that begins now; names sort by time, to the microsecond."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond << 4 | secrets.randbelow(16):06x}"


def _chunk_name(chunk: int) -> str:
    return f"{chunk:06}.safetensors"


def _look_at(folder: Path) -> Take:
    try:
        about = _about(read_json(folder / _ABOUT), folder)
        names = _files(folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(folder) from error
    chunks = 0
    while _chunk_name(chunks) in names:
        chunks += 1
    prefix = _frames_in(folder / _PREFIX) if _PREFIX in names else 0
    alone = (status.st_size for status in names.values() if status.st_nlink == 1)
    return Take(folder, about, chunks, prefix, sum(alone), _PINNED in names)


def _files(folder: Path) -> dict[str, os.stat_result]:
    """What is in a folder that somebody may be writing to."""
    files: dict[str, os.stat_result] = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was a part, and has its own name now
            files[path.name] = path.stat()
    return files


def _about(values: dict[str, Any], folder: Path) -> About:
    if values["version"] > _FORMAT_VERSION:
        raise TakeError(
            "What was kept for redoing this video was written by a newer program: {name}.",
            "Continue it from its file instead.",
            name=folder.name,
        )
    about = read_fields(About, values)
    counts = (about.chunk_width, about.first_frames, about.chunk_frames, about.source_frames + 1)
    if about.fps < 1 or min(counts) < 1:
        raise ValueError("a number that cannot be")
    return about


def _frames_in(path: Path) -> int:
    """Latent frames of a file, by its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return file.get_slice("latents").get_shape()[2]
    except (OSError, SafetensorError, IndexError) as error:
        raise _damaged(path.parent) from error


def _read(path: Path) -> np.typing.NDArray[np.float32]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            if file.get_slice("latents").get_dtype() != "F32":  # of which NumPy lacks some
                raise _damaged(path.parent)
            latents = file.get_tensor("latents")
            digest = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError) as error:
        raise _damaged(path.parent) from error
    if latents.ndim != 5 or _digest(latents) != digest:
        raise _damaged(path.parent)
    return latents


def _digest(latents: np.typing.NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(latents).data).hexdigest()


def _damaged(folder: Path) -> TakeError:
    return TakeError(
        "What was kept for redoing this video is damaged: {name}.",
        "Continue it from its file instead.",
        name=folder.name,
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        with replacing(target) as fresh:
            shutil.copyfile(source, fresh)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(
                "The disk is full; what it takes to redo this video is not kept.",
                "Free some space, or lower the limit of what is kept.",
            ) from error
        raise TakeError(
            "What it takes to redo this video cannot be kept: {why}.",
            "Look at the folder {folder}.",
            why=error.strerror or str(error),
            folder=path.parent,
        ) from error
