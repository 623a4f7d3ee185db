"""Files of a hub repository: what there is, and fetching one so that no byte comes twice.

``huggingface_hub`` answers what there is and brings endpoint, token and proxy. Its own download
writes each attempt to a new temporary file and removes it when it fails, so it cannot go on after
a kill, and it does not check hashes; therefore the bytes are fetched here, over its session.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine.config.registry import Release
from magi_engine.errors import DiskFullError, DownloadError, OutputError

_READ_BYTES = 1 << 20
_TIMEOUT_S = 20.0
_FIRST_ANSWER_S = 6.0
_ATTEMPTS = 6
"""In a row, without a single new byte."""
_BACKOFF_S = 1.0
_MAX_WAIT_S = 60.0
_POLL_S = 0.2
_BUSY = (408, 429, 500, 502, 503, 504)

Received = Callable[[int], None]
"""Told of every piece that is on the disk; may raise to stop, and what is there stays."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to be had, and how to know that it is the right one."""

    path: str
    """Relative to the folder of models."""
    url: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None
    """Of a small file that is in git itself and has no SHA-256 on the hub."""
    with_token: bool = True

    @property
    def key(self) -> str:
        """Names the content."""
        return self.sha256 or self.git_sha1 or ""


def require_hub() -> None:
    """Find out with one short request whether the hub answers at all.

    Its library would try for most of a minute before it gave up.

    Raises:
        DownloadError: it does not.
    """
    from huggingface_hub import HfApi, get_session

    with _explained("the list of models"):
        get_session().head(HfApi().endpoint, timeout=_FIRST_ANSWER_S)


def list_folder(release: Release, folder: str) -> list[RemoteFile]:
    """The files of a folder at the pinned revision, with the hub's hashes.

    Raises:
        DownloadError: the hub cannot be reached, refuses, or answers something else.
    """
    from huggingface_hub import HfApi, get_session, hf_hub_url
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import logging

    get_session().timeout = _TIMEOUT_S  # else a silent server holds us for ever
    logging.set_verbosity_error()  # its retries are no concern of who reads our sentences
    repository, revision = release.repository, release.revision
    with _explained(repository):
        entries = list(HfApi().list_repo_tree(repository, folder, revision=revision))
    files = [
        RemoteFile(
            entry.path,
            hf_hub_url(repository, entry.path, revision=revision),
            entry.size,
            entry.lfs.sha256 if entry.lfs else None,
            None if entry.lfs else entry.blob_id,
        )
        for entry in entries
        if isinstance(entry, RepoFile)
    ]
    if not files:
        raise _refused(404, f"{folder} in {repository}")
    return files


def part_of(file: RemoteFile, models_dir: Path) -> Path:
    """Where the unfinished file is; other content has another name, so they never mix."""
    target = models_dir / file.path
    return target.with_name(f"{target.name}.{file.key[:16]}.part")


def fetch(file: RemoteFile, models_dir: Path, received: Received) -> str:
    """Bring a file to its place, going on where an earlier attempt stopped.

    Returns:
        Its SHA-256. The file has its name only once it has been found to be right.

    Raises:
        DownloadError: network or hub failed, or the bytes are not those that were announced.
        DiskFullError, OutputError: it cannot be written.
    """
    target, part = models_dir / file.path, part_of(file, models_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            # What an earlier attempt left may be damaged; then it is fetched whole, once.
            fresh = not part.exists()
            hashes = _fill(file, part, received)
            if hashes.right(file):
                part.replace(target)
                return hashes.sha256.hexdigest()
            part.unlink()
            if fresh:
                break
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                "The disk is full.", "Free some space; the download goes on where it stopped."
            ) from error
        raise OutputError(
            f"{target} cannot be written.", "Choose another folder of models."
        ) from error
    raise DownloadError(
        f"The file {file.path} came with other content than was announced.",
        "Try again later, or without a mirror.",
    )


class _Hashes:
    def __init__(self, size_bytes: int) -> None:
        self.sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
        self.count = 0

    def update(self, block: bytes) -> None:
        self.sha256.update(block)
        self._git.update(block)
        self.count += len(block)

    def right(self, file: RemoteFile) -> bool:
        if self.count != file.size_bytes:
            return False
        if file.sha256 is not None:
            return self.sha256.hexdigest() == file.sha256
        return self._git.hexdigest() == file.git_sha1


def hash_file(path: Path, file: RemoteFile) -> str | None:
    """SHA-256 of a file that is there, if it is ``file``."""
    hashes = _Hashes(file.size_bytes)
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            hashes.update(block)
    return hashes.sha256.hexdigest() if hashes.right(file) else None


def _fill(file: RemoteFile, part: Path, received: Received) -> _Hashes:
    hashes = _Hashes(file.size_bytes)
    with part.open("a+b", buffering=0) as out:  # what was read is on its way to the disk at once
        out.seek(0)
        while block := out.read(_READ_BYTES):
            hashes.update(block)
        failures = 0
        while hashes.count < file.size_bytes:
            before = hashes.count
            wait_s = _receive(file, out, hashes, received)
            failures = 0 if hashes.count > before else failures + 1
            if failures >= _ATTEMPTS:
                raise DownloadError(
                    f"{file.path} cannot be fetched: the network or the server fails.",
                    "Check the network, then start the download again: it goes on where it was.",
                )
            if hashes.count < file.size_bytes:
                _wait(min(_MAX_WAIT_S, max(wait_s, _BACKOFF_S * 2**failures)), received)
    return hashes


def _wait(seconds: float, received: Received) -> None:
    """Sleep, but let the receiver stop us."""
    end = time.monotonic() + seconds
    received(0)
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _POLL_S))
        received(0)


def _receive(file: RemoteFile, out: Any, hashes: _Hashes, received: Received) -> float:
    """Read until the file is whole or something fails; returns how long the server asks to wait."""
    import httpx2
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    headers = build_hf_headers(token=None if file.with_token else False)
    headers |= {"Accept-Encoding": "identity", "Range": f"bytes={hashes.count}-"}
    try:
        # The session leaves the token behind when it is sent on to another host.
        with get_session().stream("GET", file.url, headers=headers, timeout=_TIMEOUT_S) as response:
            if response.status_code in _BUSY:
                asked = response.headers.get("Retry-After", "")
                return float(asked) if asked.isdecimal() else 0.0
            begins = f"bytes {hashes.count}-"
            ranged = response.headers.get("Content-Range", "").startswith(begins)
            if response.status_code != 206 or not ranged:
                if response.status_code != 200:
                    raise _refused(response.status_code, file.path)
                if hashes.count:  # the server knows no ranges: from the beginning
                    out.truncate(0)
                    hashes.__init__(file.size_bytes)
            for block in response.iter_raw():
                block = block[: file.size_bytes - hashes.count]
                out.write(block)
                hashes.update(block)
                received(len(block))
    except httpx2.TransportError:
        pass
    return 0.0


def _refused(status: int, what: str) -> DownloadError:
    if status in (401, 403):
        return DownloadError(
            f"The hub does not give {what} to everybody.",
            "Ask for access on its page, then sign in with: hf auth login",
        )
    if status == 404:
        return DownloadError(f"The hub does not have {what}.", "Update the program.")
    return DownloadError(f"The hub refuses {what} (status {status}).", "Try again later.")


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        raise _refused(error.response.status_code, what) from error
    except (httpx2.TransportError, OfflineModeIsEnabled) as error:
        raise DownloadError(
            "The hub of models cannot be reached.", "Check the network, the proxy or HF_ENDPOINT."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            "What answers is not a hub of models.",
            "Sign in to the network if it asks for that; check HF_ENDPOINT.",
        ) from error
