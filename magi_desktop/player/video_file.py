"""Frames of a video file on an even time grid, block by block. To be used off the UI thread."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from magi_desktop.state.generation_settings import fps_of
from magi_engine.errors import MagiError, MediaReadError
from magi_engine.late import Image, np, reformatter
from magi_engine.media.clips import as_rate
from magi_engine.media.fit import UInt8Array
from magi_engine.media.frames import TimedFrame, decode_frames
from magi_engine.media.info import probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.png_frames import FRAME_NAME
from magi_engine.media.targets import find_growing
from magi_engine.runtime.request.request import GenerationRequest

# Clocks of containers are coarse: a frame may stand this much of an interval before its time.
_EARLY = Fraction(1, 4)


@dataclass(frozen=True)
class VideoFile:
    """A file, or a folder of PNG frames, to read frames from.

    Attributes:
        path: the finished file, or the target of a growing one.
        fps: rate of the grid the frames are put on.
        skip: frames at its start that do not count (a source clip put in front of the result).
        growing: it is still being written, under a name of its own.
    """

    path: Path
    fps: float
    skip: int = 0
    growing: bool = False

    def current_path(self) -> Path:
        """Where the frames are now."""
        return (find_growing(self.path) if self.growing else None) or self.path


@dataclass(frozen=True)
class VideoFacts:
    """What a player has to know of a file before it plays.

    Attributes:
        num_frames: as the file says, on a grid of `fps`; it may hold fewer.
        request: how it was made, if this program made it.
    """

    fps: float
    num_frames: int
    width: int
    height: int
    request: GenerationRequest | None

    @property
    def chunk_frames(self) -> int:
        """Frames of a chunk; of a second, if this program did not make it."""
        return max(1, round(self.fps)) if self.request is None else self.request.chunk_frames

    @property
    def parts(self) -> list[range]:
        """The frames of its chunks, or of its seconds."""
        if self.request is not None:
            return self.request.parts_of(self.num_frames)
        firsts = range(0, self.num_frames, self.chunk_frames)
        return [range(f, min(f + self.chunk_frames, self.num_frames)) for f in firsts]


def read_facts(path: Path) -> VideoFacts:
    """Look at a video file or a folder of PNG frames.

    Raises:
        MediaReadError: missing, damaged, or not one readable frame.
    """
    request = _request_of(path)
    if path.is_dir():
        count = len(list(path.glob("*.png")))
        info = probe(path / FRAME_NAME.format(0))
        return VideoFacts(fps_of(request), count, info.width, info.height, request)
    info = probe(path)
    fps, count = info.fps or fps_of(request), info.frame_count
    if info.duration_s and count:
        fps = count / info.duration_s  # a GIF's own rate is rounded to hundredths of a second
    if count is None:
        count = max(1, round((info.duration_s or 0.0) * fps))
    return VideoFacts(float(as_rate(fps)), count, info.width, info.height, request)


def _request_of(path: Path) -> GenerationRequest | None:
    text = read_metadata(path)
    try:
        return None if text is None else GenerationRequest.from_json(text)
    except MagiError:
        return None


class BlockReader:
    """Reads frames of one file; going on where the last block ended costs no search.

    For one thread at a time.
    """

    def __init__(self, file: VideoFile) -> None:
        self.file = file
        self._frames: Iterator[UInt8Array] | None = None
        self._next = 0

    def read(self, first: int, count: int) -> UInt8Array | None:
        """Frames ``(T, H, W, 3)`` from `first` on; T < count at the end, None behind it.

        Raises:
            MediaReadError: the file cannot be read.
        """
        if self._frames is None or first != self._next:
            self._frames = _grid_frames(self.file, first)
        pictures = list(itertools.islice(self._frames, count))
        self._next = first + len(pictures)
        if len(pictures) < count or self.file.growing:
            # More may be written when it is asked again; and Windows renames no open file.
            self._frames = None
        return np.stack(pictures) if pictures else None


def _grid_frames(file: VideoFile, first: int) -> Iterator[UInt8Array]:
    path, index = file.current_path(), file.skip + first
    if path.is_dir():
        return _png_frames(path, index)
    return _video_frames(path, as_rate(file.fps), index)


def _png_frames(folder: Path, index: int) -> Iterator[UInt8Array]:
    while (path := folder / FRAME_NAME.format(index)).exists():
        try:
            with Image.open(path) as image:
                yield np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise MediaReadError(
                "{name} cannot be read.", "It may be damaged.", name=path.name
            ) from error
        index += 1


def _video_frames(path: Path, fps: Fraction, index: int) -> Iterator[UInt8Array]:
    """What is on the screen at each grid time from `index` on, to the file's readable end."""
    scaler = reformatter.VideoReformatter()
    held: TimedFrame | None = None
    for frame in decode_frames(path, (index + _EARLY) / fps):
        begins = math.ceil(frame.time * fps - _EARLY)
        if held is not None and begins > index:
            yield from itertools.repeat(held.upright(scaler), begins - index)
            index = begins
        held = frame
    if held is not None:
        last = math.ceil(held.time * fps - _EARLY)
        ends = max(last + 1, math.floor(held.end * fps + _EARLY))
        yield from itertools.repeat(held.upright(scaler), max(0, ends - index))
