"""Turning a finished video into another format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from magi_engine.late import np
from magi_engine.media.fit import FitPolicy, UInt8Array
from magi_engine.media.frames import FrameFitter, decode_frames
from magi_engine.media.info import probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer

_BATCH = 24
_DEFAULT_FPS = 24.0


def export_video(
    source: str | Path,
    target: str | Path,
    on_progress: Callable[[float], None] | None = None,
    parts: Sequence[tuple[Path, range]] = (),
    metadata: str | None = None,
) -> Path:
    """Re-encode a video into the format of `target`'s suffix, with its metadata, streaming.

    Args:
        parts: files and their frames that are wanted, one after the other on one grid of time;
            none: all of the source, whose size and rate count in any case.
        metadata: that of the new file; None: that of the source.
        on_progress: called with 0..1 after every second of video; an exception it raises ends
            the export and keeps what was written.

    Returns:
        The file that was written.

    Raises:
        MediaReadError: the source cannot be read.
        OutputError, DiskFullError, InvalidRequestError: see `open_writer`.
    """
    source = Path(source)
    info = probe(source)
    width, height = info.width - info.width % 2, info.height - info.height % 2
    fps = info.fps or _DEFAULT_FPS
    duration_s = sum(len(part) for _, part in parts) / fps if parts else info.duration_s
    metadata = metadata or read_metadata(source)
    with open_writer(target, width, height, fps, metadata) as writer:
        for file, part in parts or [(source, None)]:
            for frames in _batches(file, width, height, writer.video.fps, part):
                writer.write(frames)
                if on_progress is not None and duration_s:
                    done = float(writer.frames_written / writer.video.fps)
                    on_progress(min(1.0, done / duration_s))
    return writer.close()


def _batches(
    source: Path, width: int, height: int, fps: Fraction, part: range | None
) -> Iterator[UInt8Array]:
    """The video at a constant rate, a batch of ``(T, H, W, 3)`` at a time."""
    fitter = FrameFitter(width, height, FitPolicy.CROP, None)
    pictures: list[UInt8Array] = []
    index, stop = (0, math.inf) if part is None else (part.start, part.stop)
    frames = decode_frames(source, index / fps)
    here = next(frames)
    for ahead in frames:
        # Every tick of the output closer to `here` than to the frame after it, which comes at
        # most half a tick too early.
        middle = max((here.time + ahead.time) / 2, ahead.time - 1 / (2 * fps))
        while index < stop and index / fps <= middle:
            pictures.append(fitter(here))
            index += 1
            if len(pictures) == _BATCH:
                yield np.stack(pictures)
                pictures = []
        here = ahead
        if index >= stop:
            break
    while index < stop and (index / fps < here.end - 1 / (2 * fps) or index == 0):
        pictures.append(fitter(here))
        index += 1
    if pictures:
        yield np.stack(pictures)
