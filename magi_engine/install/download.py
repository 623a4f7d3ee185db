"""Getting a released model onto this machine, and checking what is there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from magi_engine.config.registry import ModelEntry, Release
from magi_engine.disk import require_room
from magi_engine.errors import InvalidRequestError
from magi_engine.fetching import Hashes, together
from magi_engine.install.fetching import fetch
from magi_engine.install.hub import RemoteFile, list_part, mirror_of, part_of, require_hub
from magi_engine.install.links import own_folder, share
from magi_engine.install.tasks import MARGIN_BYTES, FileProgress
from magi_engine.install.verifying import Checked, hashing
from magi_engine.weights.manifest import Manifest, Stamp
from magi_engine.weights.provenance import small_text_encoder_of

_SOURCE_HOST = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Fetched:
    """How far a download is; of the bytes, only those on the disk count."""

    done_bytes: int
    total_bytes: int
    files: tuple[FileProgress, ...]
    """Those under way."""


def remote_files(entry: ModelEntry, models_dir: Path) -> list[RemoteFile]:
    """Everything a model consists of, as the hub announces it.

    A text encoder whose small form is here already is not wanted any more.

    Raises:
        InvalidRequestError: the model is not downloaded.
        DownloadError: the hub does not answer.
    """
    release = entry.release
    if release is None:
        raise InvalidRequestError(
            "{title} is not downloaded.", "Choose one of the released models.", title=entry.title
        )
    require_hub(mirror_of(release.endpoint))
    small = small_text_encoder_of(models_dir / entry.files.text_encoder, models_dir)
    wanted = [
        source
        for source in entry.folder_sources
        if small is None or source.local != entry.files.text_encoder
    ]
    files = [file for source in wanted for file in list_part(source)]
    tokens = entry.special_tokens_source
    if tokens is not None:
        parent = PurePosixPath(tokens.remote).parent
        folder = replace(tokens, remote=str(parent).lstrip("."), local=tokens.local.parent)
        beside = list_part(folder)
        return [*files, *(file for file in beside if file.path == tokens.local.as_posix())]
    if entry.files.special_tokens.is_absolute():
        return files
    return [*files, _published_tokens(release, entry.files.special_tokens)]


def _published_tokens(release: Release, path: Path) -> RemoteFile:
    source = release.special_tokens
    return RemoteFile(
        path.as_posix(),
        f"{_SOURCE_HOST}/{source.github}/{source.commit}/{source.path}",
        source.bytes,
        source.sha256,
        None,
        f"{source.github}@{source.commit}",
        with_token=False,  # that one is for the hub
    )


def download(
    files: list[RemoteFile],
    models_dir: Path,
    wait_while_paused: Callable[[], None] = lambda: None,
    made_bytes: int = 0,
) -> Generator[Checked | Fetched]:
    """Fetch what is not here yet, several files at once, and note each that was verified.

    What lies here unverified, put here by hand or touched since, is hashed first. Closing the
    generator stops it; the next call goes on at the byte where this one stopped.

    Args:
        wait_while_paused: called by the threads that fetch; may block.
        made_bytes: room for what will be made of the files, which has to be there as well.

    Raises:
        DownloadError, DiskFullError, OutputError: with what can be done; what has come stays.
    """
    manifest = Manifest.load(models_dir)
    yield from _look_through(files, models_dir, manifest)
    missing = [file for file in files if not manifest.holds(file.path, file.sha256)]
    total = sum(file.size_bytes for file in files)
    have = {file: _size(part_of(file, models_dir)) for file in missing}
    here = total - sum(file.size_bytes for file in missing)
    require_room(models_dir, total - here - sum(have.values()) + made_bytes, MARGIN_BYTES)
    lock = threading.Lock()

    def job(file: RemoteFile, check: Callable[[], None]) -> str:
        def received(count: int) -> None:
            with lock:
                have[file] += count
            wait_while_paused()
            check()

        return fetch(file, models_dir, received)

    def progress(running: Iterable[RemoteFile]) -> Fetched:
        with lock:
            shown = {file: min(count, file.size_bytes) for file, count in have.items()}
        under_way = (FileProgress(f.path, shown[f], f.size_bytes) for f in running if shown[f])
        return Fetched(here + sum(shown.values()), total, tuple(under_way))

    yield progress(())
    with contextlib.closing(together({file: partial(job, file) for file in missing})) as steps:
        for done in steps:
            for file, sha256 in done:
                missing.remove(file)
                manifest.note(file.path, sha256, file.source)
            yield progress(missing)


def _look_through(
    files: list[RemoteFile], models_dir: Path, manifest: Manifest
) -> Generator[Checked]:
    """Find out which files are here already, unverified or under another name, and note them."""
    unknown = [file for file in files if not manifest.holds(file.path, file.sha256)]
    # What was found to be damaged and was not touched since need not be read again.
    damaged = set(manifest.damaged())
    lying = [
        file
        for file in unknown
        if _size(models_dir / file.path) == file.size_bytes and file.path not in damaged
    ]
    done, total = 0, sum(file.size_bytes for file in lying)
    for file in lying:
        stamp = Stamp.of(models_dir / file.path)
        hashes = Hashes(file.wanted)
        if (yield from hashing(models_dir, file.path, hashes, done, total)) and hashes.right:
            manifest.note(file.path, hashes.sha256.hexdigest(), file.source, stamp)
        done += file.size_bytes
    wanting = [file for file in unknown if not manifest.holds(file.path, file.sha256)]
    for folder in {(models_dir / file.path).parent for file in wanting}:
        own_folder(folder)
    for file in wanting:
        same = None if file.sha256 is None else manifest.find(file.sha256)
        if same is None or same == file.path:
            continue
        if share(models_dir / same, models_dir / file.path):
            manifest.note(file.path, manifest.files[same].sha256, file.source)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
