"""Pictures and videos that clients bring, found by the hash of their content."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread

from magi_engine.atomic import put_in_place
from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media.images import check_image_size, known_image, path_is_jpeg
from magi_engine.media.info import probe

FOLDER = Path("uploads")
"""Below the server's folder, where it runs."""

MOST_UPLOAD_BYTES = 2_000_000_000
KEPT_BYTES = 100_000_000_000
"""Of the files of each client, and of all videos that have ended."""

_HASH = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})")
_HEAD_BYTES = 32
_CONTAINERS = (
    re.compile(rb"....ftyp", re.DOTALL),  # MP4, MOV, HEIC
    re.compile(rb"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    re.compile(rb"RIFF....(AVI |WEBP)", re.DOTALL),
    re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM|II\*\x00|MM\x00\*"),
)
"""What media files begin with. Playlists and the like, which name other files, do not."""


class Uploads:
    """The files of all owners; what one has brought is not there for another.

    Args:
        most_bytes: of one file.
        room_bytes: of all files of an owner; the oldest go.
    """

    def __init__(self, most_bytes: int = MOST_UPLOAD_BYTES, room_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes, self._room_bytes = most_bytes, room_bytes

    def has(self, owner: str, digest: str) -> bool:
        """Whether a file is here."""
        return _HASH.fullmatch(digest) is not None and (FOLDER / owner / digest).is_file()

    def path_of(self, owner: str, reference: str) -> Path:
        """The file that a request calls ``sha256:...``.

        Raises:
            InvalidRequestError: it is called otherwise, or is not here.
        """
        match = _REFERENCE.fullmatch(reference)
        if match is None or not self.has(owner, match[1]):
            raise InvalidRequestError(
                "The reference is not on this server.",
                "Send it first, and name it sha256: and the hash of its content.",
            )
        path = FOLDER / owner / match[1]
        os.utime(path)
        return path

    def check_size(self, size: int) -> None:
        """Raises: InvalidRequestError: a file of so many bytes is not taken."""
        if size > self._most_bytes:
            raise too_large(self._most_bytes)

    async def take(self, owner: str, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a file.

        Raises:
            InvalidRequestError: too large, or not of that hash.
            MediaReadError: neither an image nor a video, or too large a picture.
        """
        if not _HASH.fullmatch(digest):
            raise InvalidRequestError("That is no SHA-256 hash.", "Write 64 digits, a to f small.")
        folder = FOLDER / owner
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{secrets.token_hex(8)}.part"
        sha, size, head = hashlib.sha256(), 0, b""
        try:
            with part.open("xb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    self.check_size(size)
                    if len(head) < _HEAD_BYTES:
                        head += chunk[:_HEAD_BYTES]
                        if len(head) >= _HEAD_BYTES:
                            _check_head(head)
                    sha.update(chunk)
                    file.write(chunk)
            _check_head(head)
            if sha.hexdigest() != digest:
                raise InvalidRequestError(
                    "The file does not have the hash that was said.", "Send it again."
                )
            await to_thread.run_sync(_check_media, part)
            put_in_place(part, folder / digest)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(folder, folder / digest)

    def _make_room(self, folder: Path, newest: Path) -> None:
        files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        used = sum(path.stat().st_size for path in files)
        for path in files:
            if used <= self._room_bytes or path == newest:
                break
            used -= path.stat().st_size
            path.unlink()


def too_large(most_bytes: int) -> InvalidRequestError:
    """What to say of a body with more bytes."""
    return InvalidRequestError(
        "That is more than {most:bytes}.", "Send something smaller.", most=most_bytes
    )


def _check_head(head: bytes) -> None:
    if not any(begins.match(head) for begins in _CONTAINERS):
        raise _no_media()


def _check_media(path: Path) -> None:
    """Raises: MediaReadError: it cannot be a reference."""
    try:
        image = known_image(path)
        if image is not None:
            with image:
                check_image_size(path, *image.size)
                if not path_is_jpeg(path):  # those are decoded smaller
                    image.load()
        else:
            probe(path)
    except MediaReadError as error:
        # The file's name here says nothing to whom it is told.
        raise MediaReadError(error.message.filled(name="The file"), error.hint) from error
    except Exception as error:
        raise _no_media() from error


def _no_media() -> MediaReadError:
    return MediaReadError(
        "That is neither an image nor a video that can be read.", "Send another file."
    )
