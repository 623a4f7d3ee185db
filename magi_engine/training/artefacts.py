"""What no prompt asks for: the beat, flicker, shimmer and noise of decoded frames."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magi_engine.training.scenes import CHUNK_FRAMES
from magi_engine.training.tracking import Floats, Frames
from magi_engine.training.train_vae import PIECE

_LATENT_FRAMES = 4
#: Colours at the ends of what is decoded at once are compared with those so many frames inside.
_INSIDE = 2
#: Of an object, and not of its soft edge, are pixels that stand out so far, as a share of the most.
_SOLID = 0.8
#: Of the backdrop are pixels within this many levels of what their row mostly is.
_NOISE_RANGE = 24


def beat(frames: Frames) -> dict[str, float]:
    """How frame differences go up where latent frames, and where chunks meet.

    "fourth": the mean difference at the borders of latent frames inside a chunk, against that
    inside latent frames; "border": that at the borders of chunks against the former. Nothing for
    a clip without any difference.
    """
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((1, 2, 3))
    number = np.arange(1, len(frames))
    chunks = number % CHUNK_FRAMES == 0
    fourths = (number % _LATENT_FRAMES == 0) & ~chunks
    within, fourth = change[~fourths & ~chunks].mean(), change[fourths].mean()
    values = {}
    if within > 0:
        values["fourth"] = float(fourth / within)
    if fourth > 0 and chunks.any():
        values["border"] = float(change[chunks].mean() / fourth)
    return values


def flicker(frames: Frames) -> dict[str, float]:
    """ "flicker": by how many of 255 levels the colour of what stands out is different in the
    first and the last frame of each half second, which is decoded at once, from that two frames
    further inside. Nothing where nothing stands out.
    """
    colours = []
    for frame in frames:
        offset = np.abs(_offset(frame)).max(-1)
        most = np.quantile(offset, 0.995)
        if most < _NOISE_RANGE:
            return {}
        colours.append(frame[offset >= _SOLID * most].mean(0))
    pieces = np.stack(colours[: len(colours) // PIECE * PIECE]).reshape(-1, PIECE, 3).mean(0)
    outside, inside = pieces[[0, -1]], pieces[[_INSIDE, -1 - _INSIDE]]
    return {"flicker": float(np.abs((outside - inside).mean(0)).mean())}


def shimmer(frames: Frames) -> dict[str, float]:
    """ "shimmer": by how many of 255 levels a pixel of the backdrop, which stands still, changes
    from one frame to the next. Nothing where there is no backdrop.
    """
    plain = np.stack([_is_plain(_offset(frame)) for frame in frames])
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(-1)
    still = change[plain[1:] & plain[:-1]]
    return {"shimmer": float(still.mean())} if len(still) else {}


def noise_level(frame: Frames) -> float:
    """Decibels (of one 8-bit level) of what is not smooth in the backdrop of a frame (H, W, 3)."""
    offset = _offset(frame)
    plain = np.square(offset[_is_plain(offset)]).mean(-1)
    # Without the largest tenth, which is the soft edge of objects. Rounding alone makes 1/12.
    quiet = np.sort(plain)[: int(len(plain) * 0.9)]
    return 10 * math.log10(float(quiet.mean()) + 1 / 12)


def _offset(frame: Frames) -> Floats:
    """A frame (H, W, 3) less its backdrop, which is what each row mostly is."""
    rows = frame.astype(np.float32)
    return rows - np.median(rows, axis=1, keepdims=True)


def _is_plain(offset: Floats) -> NDArray[np.bool_]:
    """Where (H, W) a frame, of which this is the :func:`_offset`, shows its backdrop."""
    return np.abs(offset).max(-1) < _NOISE_RANGE
