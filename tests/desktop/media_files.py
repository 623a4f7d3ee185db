"""Small real images and videos to drop on the window."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions


def picture(width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: red grows to the right, green downwards."""
    red = np.linspace(0, 255, width, dtype=np.uint8)[None, :]
    green = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    result = np.full((height, width, 3), 60, np.uint8)
    result[..., 0], result[..., 1] = red, green
    return result


def image_file(path: Path, width: int = 320, height: int = 180, **save: object) -> Path:
    """An image; the suffix says the format."""
    Image.fromarray(picture(width, height)).save(path, **save)  # type: ignore[arg-type]
    return path


def frames(count: int, width: int = 96, height: int = 64) -> np.ndarray:
    """(T, H, W, 3) uint8: a white bar that crosses the picture, brighter ground every frame."""
    result = np.empty((count, height, width, 3), np.uint8)
    for index in range(count):
        result[index] = 20 + 120 * index // count
        left = (width - 8) * index // max(1, count - 1)
        result[index, :, left : left + 8] = 255
    return result


def video_file(
    path: Path,
    seconds: float = 2.0,
    fps: int = 24,
    width: int = 96,
    height: int = 64,
    metadata: str | None = None,
) -> Path:
    """A video by the program's own writer."""
    with open_writer(path, width, height, fps, metadata, WriteOptions(preset="ultrafast")) as out:
        out.write(frames(round(seconds * fps), width, height))
    return path


def foreign_video(path: Path, pts_ms: list[int], width: int = 98, height: int = 54) -> Path:
    """An MP4 as another program writes it, with a picture at each of these milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pts, picture_now in zip(pts_ms, frames(len(pts_ms), width, height), strict=True):
            frame = av.VideoFrame.from_ndarray(picture_now, format="rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
