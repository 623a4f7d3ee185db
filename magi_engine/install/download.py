"""Getting a released model onto this machine, and checking what is there."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import filelock

from magi_engine.config.registry import ModelEntry, Release
from magi_engine.errors import DiskFullError, InvalidRequestError, OutputError, WeightsError
from magi_engine.install.hub import RemoteFile, fetch, hash_file, list_folder, part_of, require_hub
from magi_engine.install.tasks import FileProgress
from magi_engine.weights.manifest import Manifest

_AT_ONCE = 4
_TICK_S = 0.2
_BLOCK_BYTES = 1 << 22
_MARGIN_BYTES = 1_000_000_000
_SOURCE_HOST = "https://raw.githubusercontent.com"


@contextlib.contextmanager
def alone(models_dir: Path) -> Iterator[None]:
    """Keep other programs from downloading into the same folder; a crash lets go of it, too.

    Raises:
        InvalidRequestError: another one is at it.
        OutputError: the folder cannot be written.
    """
    lock = filelock.FileLock(models_dir / ".download.lock")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise InvalidRequestError(
            f"Another program is downloading into {models_dir} already.",
            "Wait until it is done, or stop it there.",
        ) from error
    except OSError as error:
        raise OutputError(
            f"{models_dir} cannot be written.", "Choose another folder of models."
        ) from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Fetched:
    """How far a download is; of the bytes, only those on the disk count."""

    done_bytes: int
    total_bytes: int
    files: tuple[FileProgress, ...]
    """Those under way."""


@dataclass(frozen=True)
class Checked:
    """How far a check is."""

    path: str
    done_bytes: int
    total_bytes: int
    damaged: bool | None
    """Whether the file is; None: it has not been read to its end."""


class _Stopped(Exception):
    """Unwinds the threads of a download that is not wanted any more."""


def remote_files(entry: ModelEntry, source_host: str = _SOURCE_HOST) -> list[RemoteFile]:
    """Everything a model consists of, as the hub announces it.

    Raises:
        InvalidRequestError: the model is not downloaded.
        DownloadError: the hub does not answer.
    """
    release = entry.release
    if release is None:
        raise InvalidRequestError(
            f"{entry.title} is not downloaded.", "Choose one of the released models."
        )
    require_hub()
    parts = (entry.files.transformer, entry.files.autoencoder, entry.files.text_encoder)
    files = [file for part in parts for file in list_folder(release, part.as_posix())]
    return [*files, _special_tokens(entry, release, source_host)]


def _special_tokens(entry: ModelEntry, release: Release, host: str) -> RemoteFile:
    source = release.special_tokens
    return RemoteFile(
        entry.files.special_tokens.as_posix(),
        f"{host}/{source.github}/{source.commit}/{source.path}",
        source.bytes,
        source.sha256,
        None,
        with_token=False,  # that one is for the hub
    )


def download(
    files: list[RemoteFile],
    models_dir: Path,
    source: str,
    wait_while_paused: Callable[[], None] = lambda: None,
) -> Generator[Fetched]:
    """Fetch what is not here yet, several files at once, and note each that was verified.

    Closing the generator stops it; the next call goes on at the byte where this one stopped.

    Args:
        wait_while_paused: called by the threads that fetch; may block.

    Raises:
        DownloadError, DiskFullError, OutputError: with what can be done; what has come stays.
    """
    manifest = Manifest.load(models_dir)
    missing = [file for file in files if not _is_here(file, models_dir, manifest, source)]
    total = sum(file.size_bytes for file in files)
    have = {file: _size(part_of(file, models_dir)) for file in missing}
    here = total - sum(file.size_bytes for file in missing)
    _require_space(total - here - sum(have.values()), models_dir)
    stop, lock = threading.Event(), threading.Lock()

    def received(file: RemoteFile, count: int) -> None:
        with lock:
            have[file] += count
        wait_while_paused()
        if stop.is_set():
            raise _Stopped

    def progress(running: Iterable[RemoteFile]) -> Fetched:
        with lock:
            shown = {file: min(count, file.size_bytes) for file, count in have.items()}
        under_way = (FileProgress(f.path, shown[f], f.size_bytes) for f in running if shown[f])
        return Fetched(here + sum(shown.values()), total, tuple(under_way))

    yield progress(())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {
            pool.submit(fetch, file, models_dir, partial(received, file)): file for file in missing
        }
        try:
            while running:
                for future in wait(running, _TICK_S, FIRST_COMPLETED).done:
                    file = running.pop(future)
                    manifest.note(file.path, future.result(), source)
                yield progress(running.values())
        finally:
            stop.set()
            for future in running:
                future.cancel()


def damaged_files(models_dir: Path, below: tuple[Path, ...]) -> Iterator[tuple[str, bool]]:
    """Hash every verified file below some folders again: path, and whether it is damaged."""
    for checked in check_files(models_dir, below):
        if checked.damaged is not None:
            yield checked.path, checked.damaged


def check_files(models_dir: Path, below: tuple[Path, ...]) -> Iterator[Checked]:
    """The same with its progress; what is damaged is noted as such."""
    manifest = Manifest.load(models_dir)
    paths = [
        path
        for path in manifest.files
        if any(Path(path).is_relative_to(folder) for folder in below)
    ]
    done, total = 0, sum(_size(models_dir / path) for path in paths)
    for path in paths:
        known = manifest.files[path]
        right = (yield from _hashing(models_dir, path, done, total)) == known.sha256
        done += _size(models_dir / path)
        if right:
            manifest.note(path, known.sha256, known.source)
        else:
            manifest.note_damage(path)
        yield Checked(path, done, total, not right)


def note_files(models_dir: Path, files: Iterable[Path], source: str) -> Iterator[Checked]:
    """Hash files of which nothing is noted yet, and note that they are as they should be."""
    manifest = Manifest.load(models_dir)
    paths = [path.relative_to(models_dir).as_posix() for path in files]
    new = [path for path in paths if not manifest.holds(path)]
    done, total = 0, sum(_size(models_dir / path) for path in new)
    for path in new:
        sha256 = yield from _hashing(models_dir, path, done, total)
        done += _size(models_dir / path)
        if sha256 is None:
            raise WeightsError(f"{models_dir / path} cannot be read.", "Check its permissions.")
        manifest.note(path, sha256, source)
        yield Checked(path, done, total, False)


def _hashing(
    models_dir: Path, path: str, done: int, total: int
) -> Generator[Checked, None, str | None]:
    """Returns the SHA-256 of a file, or None if it cannot be read."""
    sha256 = hashlib.sha256()
    try:
        with (models_dir / path).open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                sha256.update(block)
                done += len(block)
                yield Checked(path, done, total, None)
    except OSError:
        return None
    return sha256.hexdigest()


def _is_here(file: RemoteFile, models_dir: Path, manifest: Manifest, source: str) -> bool:
    if manifest.holds(file.path, file.sha256):
        return True
    path = models_dir / file.path
    if not path.is_file():
        return False
    try:
        sha256 = hash_file(path, file)  # copied here by hand, or touched since
    except OSError as error:
        raise WeightsError(f"{path} cannot be read.", "Remove that file.") from error
    if sha256 is not None:
        manifest.note(file.path, sha256, source)
    return sha256 is not None


def _require_space(needed_bytes: int, models_dir: Path) -> None:
    folder = next(path for path in (models_dir, *models_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if needed_bytes and needed_bytes + _MARGIN_BYTES > free:
        raise DiskFullError(
            f"{needed_bytes / 1e9:.1f} GB are to come, {free / 1e9:.1f} GB are free in {folder}.",
            "Free some space, or choose another folder of models.",
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
