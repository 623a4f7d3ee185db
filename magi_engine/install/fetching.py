"""Fetching one file so that no byte comes twice and none is believed unseen.

``huggingface_hub``'s own download writes each attempt to a new temporary file and removes it when
it fails, so it cannot go on after a kill, and it does not check hashes; therefore the bytes are
fetched here, over its session.
"""

from __future__ import annotations

import email.utils
import glob
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from magi_engine.atomic import put_in_place
from magi_engine.errors import DownloadError, WeightsError, write_error
from magi_engine.install.hub import (
    TIMEOUT_S,
    RemoteFile,
    certificate_error,
    no_hub,
    part_of,
    refused,
)

if TYPE_CHECKING:
    import httpx2

_READ_BYTES = 1 << 20
_ATTEMPTS = 6
"""In a row, without a single new byte; about a minute. Twice as many, some minutes, if bytes have
come before: then it is worth waiting for a network that was lost."""
_BACKOFF_S = 1.0
_MAX_WAIT_S = 60.0
_POLL_S = 0.2
_BUSY = (408, 425, 429, 500, 502, 503, 504)

Received = Callable[[int], None]
"""Told of every piece that is on the disk; may raise to stop, and what is there stays."""


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
        if file.copied_from is not None:
            sha256 = _copy(file.copied_from, part, received)
            put_in_place(part, target)
            return sha256
        for _ in range(2):
            # What an earlier attempt left may be damaged; then it is fetched whole, once.
            fresh = not part.exists()
            hashes = _Attempt(file, received).fill(part)
            if hashes.right:
                put_in_place(part, target)
                _remove_leftovers(target)
                return hashes.sha256.hexdigest()
            part.unlink()
            if fresh:
                break
    except OSError as error:
        raise write_error(error, target) from error
    raise DownloadError(
        f"The file {file.path} came with other content than was announced.",
        "Try again later, or without a mirror.",
    )


def _copy(source: Path, part: Path, received: Received) -> str:
    """Complete a copy; what is there of it is compared first. Returns its SHA-256."""
    with _opened(source) as original, part.open("a+b", buffering=0) as out:
        hashes = Hashes()
        out.seek(0)
        while block := out.read(_READ_BYTES):
            if original.read(len(block)) != block:
                out.truncate(hashes.count)
                original.seek(hashes.count)
                break
            hashes.update(block)
            received(0)
        while block := original.read(_READ_BYTES):
            _write_all(out, block)
            hashes.update(block)
            received(len(block))
        os.fsync(out.fileno())
    return hashes.sha256.hexdigest()


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise WeightsError(
            f"{source} cannot be read.", "Connect the disk that it is on, then try again."
        ) from error


class Hashes:
    """Of a stream: its SHA-256, and what else the hub may know it by.

    Args:
        expected: what the stream ought to be; None: nobody said.
    """

    def __init__(self, expected: RemoteFile | None = None) -> None:
        self._expected = expected
        self.sha256 = hashlib.sha256()
        self._git = None
        if expected is not None and expected.sha256 is None:  # as git names its contents
            header = b"blob %d\0" % expected.size_bytes
            self._git = hashlib.sha1(header, usedforsecurity=False)
        self.count = 0

    def update(self, block: bytes) -> None:
        """Take the next bytes."""
        self.sha256.update(block)
        if self._git is not None:
            self._git.update(block)
        self.count += len(block)

    @property
    def right(self) -> bool:
        """Whether that was what was expected, to its end."""
        expected = self._expected
        if expected is None or self.count != expected.size_bytes:
            return False
        if self._git is not None:
            return self._git.hexdigest() == expected.git_sha1
        return self.sha256.hexdigest() == expected.sha256


class _Attempt:
    """The requests it takes to get one file, one after the other."""

    def __init__(self, file: RemoteFile, received: Received) -> None:
        self._file, self._received = file, received
        self._hashes = Hashes(file)
        self._etag: str | None = None

    def fill(self, part: Path) -> Hashes:
        """Complete the file; what is on the disk when this returns is what was hashed."""
        size_bytes = self._file.size_bytes
        with part.open("a+b", buffering=0) as out:  # what was read is on its way at once
            out.seek(0)
            while block := out.read(_READ_BYTES):
                self._hashes.update(block)
                self._received(0)
            failures, found = 0, self._hashes.count
            while self._hashes.count < size_bytes:
                before = self._hashes.count
                wait_s = self._receive(out)
                failures = 0 if self._hashes.count > before else failures + 1
                if failures >= _ATTEMPTS * (2 if self._hashes.count > found else 1):
                    raise DownloadError(
                        f"{self._file.path} cannot be fetched: the network or the server fails.",
                        "Check the network, then start the download again: "
                        "it goes on where it was.",
                    )
                if self._hashes.count < size_bytes:
                    self._wait(min(_MAX_WAIT_S, max(wait_s, _BACKOFF_S * 2**failures)))
            os.fsync(out.fileno())
        return self._hashes

    def _wait(self, seconds: float) -> None:
        """Sleep, but let the receiver stop us."""
        end = time.monotonic() + seconds
        self._received(0)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_S))
            self._received(0)

    def _receive(self, out: FileIO) -> float:
        """Read until the file is whole or something fails; returns how long to wait then."""
        import httpx2
        from huggingface_hub import get_session
        from huggingface_hub.utils import build_hf_headers

        file, hashes = self._file, self._hashes
        headers = build_hf_headers(token=None if file.with_token else False)
        headers |= {"Accept-Encoding": "identity", "Range": f"bytes={hashes.count}-"}
        try:
            # The session leaves the token behind when it is sent on to another host.
            with get_session().stream("GET", file.url, headers=headers, timeout=TIMEOUT_S) as got:
                if got.status_code in _BUSY:
                    return _asked_wait_s(got.headers)
                # A server that knows no ranges sends again what is here: that is passed over.
                known = hashes.count - self._first_byte(got)
                for raw in got.iter_raw():
                    block = raw[known:][: file.size_bytes - hashes.count]
                    known = max(0, known - len(raw))
                    _write_all(out, block)
                    hashes.update(block)
                    self._received(len(block))
                    if hashes.count == file.size_bytes:
                        break
        except httpx2.TransportError as error:
            refusal = certificate_error(error)
            if refusal is not None:
                raise refusal from error
        except httpx2.RequestError as error:  # sent round in circles
            raise no_hub() from error
        return 0.0

    def _first_byte(self, got: httpx2.Response) -> int:
        """Where in the file an answer begins, once it is known to be about this file.

        Raises:
            DownloadError: it is not, or there is no answer.
        """
        file, have = self._file, self._hashes.count
        if got.status_code not in (200, 206, 416):
            raise refused(got.status_code, file.path, got.headers.get("X-Error-Code", ""))
        if "text/html" in got.headers.get("Content-Type", "").lower():
            raise no_hub()
        begins, total = _range_of(got)
        same = self._same_content(got) and total in (None, file.size_bytes)
        if got.status_code == 416 or not same:
            raise DownloadError(
                f"The hub has replaced {file.path} in the meantime.", "Start the download again."
            )
        if begins not in (0, have):
            raise no_hub()
        return begins

    def _same_content(self, got: httpx2.Response) -> bool:
        """Whether an answer is about what was announced, as far as its labels tell."""
        for response in (*got.history, got):
            linked = _unquoted(response.headers.get("X-Linked-Etag"))
            if linked is not None and self._file.sha256 is not None:
                return linked == self._file.sha256
        etag = _unquoted(got.headers.get("ETag"))
        before, self._etag = self._etag, etag or self._etag
        return None in (before, etag) or etag == before


def _range_of(got: httpx2.Response) -> tuple[int, int | None]:
    """Where an answer begins, and the size of the whole file if it says so."""
    if got.status_code == 206:
        # https://www.rfc-editor.org/rfc/rfc9110#name-content-range
        span, _, total = got.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        begins = span.partition("-")[0]
        return int(begins) if begins.isdecimal() else -1, int(total) if total.isdecimal() else None
    length = got.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _asked_wait_s(headers: Mapping[str, str]) -> float:
    """How long the server asks to wait; a date is taken against its own clock, not this one."""
    asked = headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        until, now = (
            email.utils.parsedate_to_datetime(headers.get(name, ""))
            for name in ("Retry-After", "Date")
        )
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _unquoted(etag: str | None) -> str | None:
    return None if etag is None else etag.removeprefix("W/").strip('"')


def _write_all(out: FileIO, block: bytes) -> None:
    """A disk that is nearly full may take a part of it only."""
    rest = memoryview(block)
    while rest:
        rest = rest[out.write(rest) :]


def _remove_leftovers(target: Path) -> None:
    """Beginnings of what the file was to be before the hub replaced it."""
    for part in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
        part.unlink(missing_ok=True)
