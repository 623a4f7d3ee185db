"""Reading an image or a video that is to be a reference. For background threads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PySide6.QtGui import QImage

from magi_desktop.state.draft import Reference
from magi_desktop.thumbnails import to_image
from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media.clips import plan_clip
from magi_engine.media.fit import FitPolicy
from magi_engine.media.images import read_image
from magi_engine.media.info import MediaInfo, MediaKind, probe
from magi_engine.media.stills import iter_stills
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest

THUMBNAIL_SIDE = 720
"""Pixels of the longer side: enough for a panel on a screen with two pixels to the point."""

_PROBING_FPS = 24


@dataclass(frozen=True)
class LoadedReference:
    """A file that can be a reference, with what is worth showing of it."""

    reference: Reference
    thumbnail: QImage
    """The image, or the video's first picture; longer side at most ``THUMBNAIL_SIDE``."""
    file_bytes: int
    duration_s: float | None
    """Of a video: up to its last readable picture. Headers can promise more."""
    own_request: GenerationRequest | None
    """How this program made the file, if it did."""


def load_reference(path: str | Path) -> LoadedReference:
    """Read what the window shows of a file. Takes time: opens and decodes parts of it.

    Raises:
        MediaReadError: missing, damaged, too large or too small, neither image nor video.
    """
    path = Path(path)
    info = probe(path)
    width, height = thumbnail_size(info)
    duration_s = None
    if info.kind is MediaKind.IMAGE:
        picture = read_image(path, width, height, FitPolicy.STRETCH)
    else:
        duration_s = plan_clip(path, _PROBING_FPS).end_s
        picture = next(iter_stills(path, [0], width, height, FitPolicy.STRETCH))
    return LoadedReference(
        Reference(path, info), to_image(picture), _file_size(path), duration_s, _own_request(path)
    )


def read_still(path: Path, info: MediaInfo, time_s: float | Fraction) -> QImage:
    """The picture of a video at a time, as large as a thumbnail.

    Raises:
        MediaReadError: the file has gone or nothing in it decodes.
    """
    width, height = thumbnail_size(info)
    return to_image(next(iter_stills(path, [time_s], width, height, FitPolicy.STRETCH)))


def thumbnail_size(info: MediaInfo, side: int = THUMBNAIL_SIDE) -> tuple[int, int]:
    """Width and height in the shape of a picture, the longer one ``side`` or less."""
    scale = min(1.0, side / max(info.width, info.height))
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise MediaReadError(
            "There is no file {path}.", "Choose another file.", path=path
        ) from error


def _own_request(path: Path) -> GenerationRequest | None:
    try:
        return read_request(path)
    except (MediaReadError, InvalidRequestError):
        return None
