"""Fetching files so that no byte comes twice and none is believed unseen.

``huggingface_hub``'s own download writes each attempt to a new temporary file and removes it when
it fails, so it cannot go on after a kill, and it does not check hashes. This needs nothing but the
standard library: the set-up of the installed program fetches its packages with it as well.
"""

from __future__ import annotations

import concurrent.futures
import email.utils
import enum
import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TypeVar

from magi_engine.atomic import put_in_place

_K = TypeVar("_K")
_V = TypeVar("_V")

_READ_BYTES = 1 << 20
_ATTEMPTS = 6
"""In a row, without a single new byte; about a minute. Twice as many, some minutes, if bytes have
come before: then it is worth waiting for a network that was lost."""
_BACKOFF_S = 1.0
_MAX_WAIT_S = 60.0
_POLL_S = 0.2
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_AT_ONCE = 4

Received = Callable[[int], None]
"""Told of every piece that is on the disk; may raise to stop, and what is there stays."""


class Trouble(enum.Enum):
    """Why a file was not fetched."""

    LOST = "the network or the server fails"
    REFUSED = "the server refuses"
    STRANGER = "what answers is no such server, such as the page of a hotel's network"
    REPLACED = "the server has another file by now"
    WRONG = "the content is not what was announced"


class FetchError(Exception):
    """A file was not fetched; what has come of it stays, unless it is wrong."""

    def __init__(self, trouble: Trouble, status: int = 0, code: str = "") -> None:
        super().__init__(trouble.value)
        self.trouble, self.status, self.code = trouble, status, code


class ConnectionFailed(Exception):
    """A request has failed in a way that is worth another try."""


class Stopped(Exception):
    """Unwinds a thread whose file is not wanted any more."""


@dataclass(frozen=True)
class Wanted:
    """What a file ought to be.

    Attributes:
        git_sha1: of a file without a SHA-256: what git names its content.
    """

    size_bytes: int
    sha256: str | None
    git_sha1: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a server answers.

    Attributes:
        headers: names in small letters.
        before: the headers of the answers that led here.
        blocks: its body, as it was sent.
    """

    status: int
    headers: Mapping[str, str]
    blocks: Iterator[bytes]
    before: tuple[Mapping[str, str], ...] = ()


Ask = Callable[[int], AbstractContextManager[Answer]]
"""Asks for a file from a byte on. It, or reading its blocks, raises ConnectionFailed."""


class Hashes:
    """Of a stream: its SHA-256, and what else it may be known by.

    Args:
        wanted: what the stream ought to be; None: nobody said.
    """

    def __init__(self, wanted: Wanted | None = None) -> None:
        self._wanted = wanted
        self.sha256 = hashlib.sha256()
        self._git = None
        if wanted is not None and wanted.sha256 is None:
            header = b"blob %d\0" % wanted.size_bytes
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
        """Whether that was what was wanted, to its end."""
        wanted = self._wanted
        if wanted is None or self.count != wanted.size_bytes:
            return False
        if self._git is not None:
            return self._git.hexdigest() == wanted.git_sha1
        return self.sha256.hexdigest() == wanted.sha256


def fetch(wanted: Wanted, target: Path, part: Path, ask: Ask, received: Received) -> str:
    """Bring a file to its place, going on where an earlier attempt stopped.

    Args:
        part: where it is until it has been found to be right.

    Returns:
        Its SHA-256.

    Raises:
        FetchError: it could not be had.
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        # What an earlier attempt left may be damaged; then it is fetched whole, once.
        fresh = not part.exists()
        hashes = _Attempt(wanted, ask, received).fill(part)
        if hashes.right:
            put_in_place(part, target)
            return hashes.sha256.hexdigest()
        part.unlink()
        if fresh:
            break
    raise FetchError(Trouble.WRONG)


def together(
    jobs: Mapping[_K, Callable[[Callable[[], None]], _V]],
) -> Generator[list[tuple[_K, _V]]]:
    """Do a few jobs at a time; yields, several times a second, what has come of those just done.

    Each gets a function to call now and then, which raises Stopped once the generator is closed
    or another job has failed; its error is raised here.
    """
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {pool.submit(job, check): key for key, job in jobs.items()}
        try:
            while running:
                done = concurrent.futures.wait(
                    running, _POLL_S, concurrent.futures.FIRST_COMPLETED
                ).done
                yield [(running.pop(future), future.result()) for future in done]
        finally:
            stop.set()
            for future in running:
                future.cancel()


def write_all(out: FileIO, block: bytes) -> None:
    """A disk that is nearly full may take a part of it only."""
    rest = memoryview(block)
    while rest:
        rest = rest[out.write(rest) :]


class _Attempt:
    """The requests it takes to get one file, one after the other."""

    def __init__(self, wanted: Wanted, ask: Ask, received: Received) -> None:
        self._wanted, self._ask, self._received = wanted, ask, received
        self._hashes = Hashes(wanted)
        self._etag: str | None = None

    def fill(self, part: Path) -> Hashes:
        """Complete the file; what is on the disk when this returns is what was hashed."""
        size_bytes = self._wanted.size_bytes
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
                    raise FetchError(Trouble.LOST)
                if self._hashes.count < size_bytes:
                    self._wait(min(_MAX_WAIT_S, max(wait_s, _BACKOFF_S * 2**failures)))
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
        hashes, size_bytes = self._hashes, self._wanted.size_bytes
        try:
            with self._ask(hashes.count) as answer:
                if answer.status in _BUSY:
                    return _asked_wait_s(answer.headers)
                # A server that knows no ranges sends again what is here: that is passed over.
                known = hashes.count - self._first_byte(answer)
                for raw in answer.blocks:
                    block = raw[known:][: size_bytes - hashes.count]
                    known = max(0, known - len(raw))
                    write_all(out, block)
                    hashes.update(block)
                    self._received(len(block))
                    if hashes.count == size_bytes:
                        break
        except ConnectionFailed:
            pass
        return 0.0

    def _first_byte(self, answer: Answer) -> int:
        """Where in the file an answer begins, once it is known to be about this file.

        Raises:
            FetchError: it is not, or there is no answer.
        """
        if answer.status not in (200, 206, 416):
            code = answer.headers.get("x-error-code", "")
            raise FetchError(Trouble.REFUSED, answer.status, code)
        if "text/html" in answer.headers.get("content-type", "").lower():
            raise FetchError(Trouble.STRANGER)
        begins, total = _range_of(answer)
        same = self._same_content(answer) and total in (None, self._wanted.size_bytes)
        if answer.status == 416 or not same:
            raise FetchError(Trouble.REPLACED)
        if begins not in (0, self._hashes.count):
            raise FetchError(Trouble.STRANGER)
        return begins

    def _same_content(self, answer: Answer) -> bool:
        """Whether an answer is about what was announced, as far as its labels tell."""
        for headers in (*answer.before, answer.headers):
            linked = _unquoted(headers.get("x-linked-etag"))
            if linked is not None and self._wanted.sha256 is not None:
                return linked == self._wanted.sha256
        etag = _unquoted(answer.headers.get("etag"))
        before, self._etag = self._etag, etag or self._etag
        return None in (before, etag) or etag == before


def _range_of(answer: Answer) -> tuple[int, int | None]:
    """Where an answer begins, and the size of the whole file if it says so."""
    if answer.status == 206:
        # https://www.rfc-editor.org/rfc/rfc9110#name-content-range
        said = answer.headers.get("content-range", "").removeprefix("bytes ")
        span, _, total = said.partition("/")
        begins = span.partition("-")[0]
        return int(begins) if begins.isdecimal() else -1, int(total) if total.isdecimal() else None
    length = answer.headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() else None


def _asked_wait_s(headers: Mapping[str, str]) -> float:
    """How long the server asks to wait; a date is taken against its own clock, not this one."""
    asked = headers.get("retry-after", "")
    if asked.isdecimal():
        return float(asked)
    try:
        until, now = (
            email.utils.parsedate_to_datetime(headers.get(name, ""))
            for name in ("retry-after", "date")
        )
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _unquoted(etag: str | None) -> str | None:
    return None if etag is None else etag.removeprefix("W/").strip('"')
