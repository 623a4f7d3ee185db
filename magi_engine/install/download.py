"""Getting a released model onto this machine, and checking what is there."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from magi_engine.config.registry import ModelEntry, Release
from magi_engine.errors import DiskFullError, InvalidRequestError, WeightsError
from magi_engine.install.hub import RemoteFile, fetch, hash_file, list_folder, part_of
from magi_engine.install.manifest import Manifest

_AT_ONCE = 4
_TICK_S = 0.2
_MARGIN_BYTES = 1_000_000_000
_SOURCE_HOST = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Fetched:
    """How far a download is; of the bytes, only those on the disk count."""

    done_bytes: int
    total_bytes: int


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


def download(files: list[RemoteFile], models_dir: Path, source: str) -> Generator[Fetched]:
    """Fetch what is not here yet, several files at once, and note each that was verified.

    Closing the generator stops it; the next call goes on at the byte where this one stopped.

    Raises:
        DownloadError, DiskFullError, OutputError: with what can be done; what has come stays.
    """
    manifest = Manifest.load(models_dir)
    missing = [file for file in files if not _is_here(file, models_dir, manifest, source)]
    total = sum(file.size_bytes for file in files)
    begun = sum(_size(part_of(file, models_dir)) for file in missing)
    done = total - sum(file.size_bytes for file in missing) + begun
    _require_space(total - done, models_dir)
    stop, lock, new_bytes = threading.Event(), threading.Lock(), 0

    def received(count: int) -> None:
        nonlocal new_bytes
        with lock:
            new_bytes += count
        if stop.is_set():
            raise _Stopped

    yield Fetched(done, total)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {pool.submit(fetch, file, models_dir, received): file for file in missing}
        try:
            while running:
                for future in wait(running, _TICK_S, FIRST_COMPLETED).done:
                    file = running.pop(future)
                    manifest.note(file.path, future.result(), source)
                yield Fetched(min(done + new_bytes, total), total)
        finally:
            stop.set()
            for future in running:
                future.cancel()


def damaged_files(models_dir: Path, below: tuple[Path, ...]) -> Iterator[tuple[str, bool]]:
    """Hash every verified file below some folders again: path, and whether it is damaged."""
    manifest = Manifest.load(models_dir)
    for path, known in list(manifest.files.items()):
        if any(Path(path).is_relative_to(folder) for folder in below):
            right = _sha256(models_dir / path) == known.sha256
            if right:
                manifest.note(path, known.sha256, known.source)
            else:
                manifest.forget(path)
            yield path, not right


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


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
