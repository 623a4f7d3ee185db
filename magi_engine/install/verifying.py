"""Finding out whether files are what they ought to be, and noting it."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from magi_engine.fetching import Hashes
from magi_engine.install.hub import RemoteFile
from magi_engine.json_text import read_json
from magi_engine.weights.manifest import FOUND, Manifest, Stamp, Verified

_BLOCK_BYTES = 1 << 22
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PICKLE_MAGIC = b"\x80"


@dataclass(frozen=True)
class Checked:
    """How far a check is."""

    path: str
    done_bytes: int
    total_bytes: int
    damaged: bool | None
    """Whether the file is; None: it has not been read to its end."""
    published: bool = False
    """Whether it could be compared with what was published."""


def verify_files(
    models_dir: Path, paths: Iterable[str], published: Mapping[str, RemoteFile]
) -> Generator[Checked]:
    """Hash files to their end and note for each whether it is right.

    Right is what was published, else what was right before, else what is whole by its own form:
    its hash is noted, and counts from then on.

    Args:
        paths: as the manifest calls them.
        published: what the hub announces, by path, as far as it could be asked.
    """
    manifest = Manifest.load(models_dir)
    paths = list(dict.fromkeys(paths))
    sizes = {path: _size(models_dir / path) for path in paths}
    done, total = 0, sum(sizes.values())
    for path in paths:
        stamp = Stamp.of(models_dir / path)
        known, remote = manifest.files.get(path), published.get(path)
        hashes = Hashes(remote and remote.wanted)
        whole = yield from hashing(models_dir, path, hashes, done, total)
        whole = whole and stamp is not None and Stamp.of(models_dir / path) == stamp
        done += sizes[path]
        expected, source = _expected(known, remote)
        found = hashes.sha256.hexdigest()
        if remote is not None:
            right = hashes.right
        elif expected:
            right = found == expected
        else:
            right = whole and looks_whole(models_dir / path)
        if whole and right:
            manifest.note(path, found, source, stamp)
        else:
            manifest.note_damage(path, expected, source, stamp)
        yield Checked(path, done, total, not (whole and right), source != FOUND)


def _expected(known: Verified | None, remote: RemoteFile | None) -> tuple[str, str]:
    """The hash a file ought to have, or nothing, and who says so."""
    if remote is not None:
        return remote.sha256 or "", remote.source
    return ("", FOUND) if known is None else (known.sha256, known.source)


def hashing(
    models_dir: Path, path: str, hashes: Hashes, done: int, total: int
) -> Generator[Checked, None, bool]:
    """Feed a file to ``hashes``; returns whether it could be read."""
    try:
        with (models_dir / path).open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                hashes.update(block)
                done += len(block)
                yield Checked(path, done, total, None)
    except OSError:
        return False
    return True


def looks_whole(path: Path) -> bool:
    """Whether a file that is known by no hash is at least complete, as far as its form tells."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy"):
                return True
        if path.suffix == ".json":
            read_json(path)
            return True
        if path.suffix == ".npz":
            return zipfile.is_zipfile(path)
        with path.open("rb") as file:
            begin = file.read(4)
        if path.suffix == ".zst":
            return begin == _ZSTD_MAGIC
        if path.suffix == ".bin":  # before PyTorch 1.6 a bare pickle, since then a zip archive
            return zipfile.is_zipfile(path) or begin[:1] == _PICKLE_MAGIC
    except (OSError, ValueError, SafetensorError):
        return False
    return bool(begin)


def _size(path: Path) -> int:
    stamp = Stamp.of(path)
    return 0 if stamp is None else stamp.size_bytes
