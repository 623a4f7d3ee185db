"""What a media file is, without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from magi_engine.late import av
from magi_engine.media._files import (
    check_file,
    is_still_format,
    media_errors,
    open_container,
    video_stream,
)
from magi_engine.media.frames import decode_frames, is_pillow_animation
from magi_engine.media.images import displayed_size, is_animated, known_image, open_image


class MediaKind(Enum):
    """Whether a file can be the image or the video of a request."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True)
class MediaInfo:
    """Facts about a media file.

    Attributes:
        width, height: pixels as displayed: after rotation, with square pixels.
        duration_s, fps, frame_count: of a video, None where the file does not say.
    """

    kind: MediaKind
    width: int
    height: int
    duration_s: float | None = None
    fps: float | None = None
    frame_count: int | None = None


def probe(path: str | Path) -> MediaInfo:
    """Say what a file holds; decodes one frame of a video, none of an image.

    Raises:
        MediaReadError: missing, damaged, neither image nor video, or not one readable frame.
    """
    path = Path(path)
    with media_errors(path):
        if is_still(path):
            with open_image(path) as image:
                return MediaInfo(MediaKind.IMAGE, *displayed_size(image))
        first = next(decode_frames(path))
        width, height = first.displayed_size
        numbers = _pillow_numbers(path) if is_pillow_animation(path) else _ffmpeg_numbers(path)
        return MediaInfo(MediaKind.VIDEO, round(width), round(height), *numbers)


def clip_duration(path: Path) -> float | None:
    """Seconds a video lasts according to its header, which may be wrong; None if it is silent."""
    if is_pillow_animation(path):
        return None
    with open_container(path) as container:
        stream = video_stream(container, path)
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return None if container.duration is None else container.duration / av.time_base


def is_still(path: Path) -> bool:
    """Whether a file holds one picture.

    Raises:
        MediaReadError: missing, damaged, or neither image nor video.
    """
    check_file(path)
    with media_errors(path):
        image = known_image(path)
        if image is not None:
            with image:
                return not is_animated(image)
        with open_container(path) as container:
            if not is_still_format(container):
                return False
            # By its name alone, anything is a picture for FFmpeg.
            next(container.decode(video_stream(container, path)))
            return True


def _ffmpeg_numbers(path: Path) -> tuple[float | None, float | None, int | None]:
    duration = clip_duration(path)
    with open_container(path) as container:
        stream = video_stream(container, path)
        rate = stream.average_rate or stream.guessed_rate
        return duration, float(rate) if rate else None, stream.frames or None


def _pillow_numbers(path: Path) -> tuple[float | None, float | None, int | None]:
    count, duration = 0, 0.0
    for frame in decode_frames(path):
        count, duration = count + 1, float(frame.end)
    return duration, count / duration if duration else None, count
