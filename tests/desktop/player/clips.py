"""Frames and files for the player's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions

CHUNK = 24


def level(index: int) -> int:
    """The grey of a frame: tells frames apart, also after a codec."""
    return 20 + index * 53 % 200


def grey_frames(first: int, count: int, width: int = 64, height: int = 48) -> np.ndarray:
    """(T, H, W, 3) uint8: frame i of a video is flat `level(i)`."""
    levels = [level(first + i) for i in range(count)]
    greys = np.array(levels, np.uint8)
    return np.repeat(greys, height * width * 3).reshape(count, height, width, 3)


def write_greys(path: Path, count: int, width: int = 64, height: int = 48) -> Path:
    """A video of such frames, written chunk by chunk as the engine does."""
    with open_writer(path, width, height, 24, None, WriteOptions(preset="ultrafast")) as writer:
        for first in range(0, count, CHUNK):
            writer.write(grey_frames(first, min(CHUNK, count - first), width, height))
        assert writer.close() == path
    return path


def is_frame(frame: np.ndarray, index: int, tolerance: int = 2) -> bool:
    """Whether a picture is frame `index`, within the codec's error."""
    return int(np.abs(frame.astype(int) - level(index)).max()) <= tolerance
