"""The video that grows on another machine, as it arrives here."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media.colour import frame_to_rgb
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.request.metadata import read_request

_BOX_HEAD = 8
_PIECE_ENDS = b"mdat"
"""The last box of a piece; the first one comes after ``moov``."""


class GrowingVideo:
    """Takes in the bytes of a fragmented MP4 and gives the frames of every whole piece.

    Args:
        part: the same bytes as a file here, from which frames can be read again.
    """

    def __init__(self, part: Path) -> None:
        self.part = part
        self.size = 0
        """Bytes taken in."""
        self._header = b""
        self._rest = b""
        self._frames: list[NDArray[np.uint8]] = []
        self._given = self._skip = 0
        """Frames that were given out, and how many of those come once more."""
        self._scaler = VideoReformatter()

    def begin_again(self) -> None:
        """The file begins anew; frames that were given are not given again."""
        self.size, self._header, self._rest = 0, b"", b""
        self._frames, self._skip = [], self._given

    def take(self, data: bytes) -> None:
        """More bytes.

        Raises:
            OSError: they cannot be written.
        """
        with self.part.open("ab" if self.size else "wb") as file:
            file.write(data)
        self.size += len(data)
        if self.part.suffix != ".mp4":  # then the frames come from the finished file
            return
        self._rest += data
        while (end := self._end_of_piece()) is not None:
            piece, self._rest = self._rest[:end], self._rest[end:]
            if not self._header:
                self._header = piece
            else:
                frames = self._decoded(piece)
                self._frames += frames[self._skip :]
                self._skip = max(0, self._skip - len(frames))

    def frames(self, count: int) -> NDArray[np.uint8] | None:
        """The next frames, (T, H, W, 3), each given once; None: they are not here yet."""
        if len(self._frames) < count:
            return None
        taken, self._frames = self._frames[:count], self._frames[count:]
        self._given += count
        return np.stack(taken)

    def _end_of_piece(self) -> int | None:
        wanted, place = _PIECE_ENDS if self._header else b"moov", 0
        while place + _BOX_HEAD <= len(self._rest):
            size = int.from_bytes(self._rest[place : place + 4], "big")
            kind = self._rest[place + 4 : place + _BOX_HEAD]
            if size < _BOX_HEAD or place + size > len(self._rest):
                return None  # not here yet
            place += size
            if kind == wanted:
                return place
        return None

    def _decoded(self, piece: bytes) -> list[NDArray[np.uint8]]:
        frames = []
        with (
            contextlib.suppress(av.error.FFmpegError, MediaReadError),
            av.open(io.BytesIO(self._header + piece), "r", format="mp4") as container,
        ):
            for frame in container.decode(video=0):
                frames.append(frame_to_rgb(frame, self._scaler))
        return frames


def frames_of_file(path: Path, first: int) -> Iterator[NDArray[np.uint8]]:
    """The frames of a finished video from one of the result on, as far as it can be read."""
    scaler = VideoReformatter()
    with contextlib.suppress(MediaReadError, InvalidRequestError):
        first += read_request(path).source_frames
        for frame in itertools.islice(decode_frames(path), first, None):
            yield frame.upright(scaler)
