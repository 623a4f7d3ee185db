"""Single pictures out of a video: for thumbnails and filmstrips."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

from magi_engine.media.fit import FitPolicy, UInt8Array
from magi_engine.media.frames import FrameFitter, decode_frames

# Playing on is quicker than jumping to the key frame before a point that is this close.
_JUMP_S = 8


def iter_stills(
    path: str | Path,
    times_s: Sequence[float | Fraction],
    width: int,
    height: int,
    fit: FitPolicy = FitPolicy.CROP,
) -> Generator[UInt8Array, None, None]:
    """For each of the rising times the picture shown then, as ``(height, width, 3)`` uint8 RGB.

    Decoded one by one as they are asked for; only two frames are ever held.

    Args:
        times_s: seconds from the clip's first frame; after the end counts its last picture.

    Raises:
        MediaReadError: not a video, or nothing in it decodes.
    """
    path, fitter = Path(path), FrameFitter(width, height, fit, None)
    source = decode_frames(path)
    here = ahead = next(source)
    for time in times_s:
        if time - here.time > _JUMP_S:
            source = decode_frames(path, Fraction(time))
            here = ahead = next(source)
        while ahead is not None and ahead.time <= time:
            here, ahead = ahead, next(source, None)
        yield fitter(here)
