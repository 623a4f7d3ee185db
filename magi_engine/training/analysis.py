"""Judge decoded frames by image analysis: what is in a clip, and is it what the prompt asked for?

No learned model is involved. Every measurement is calibrated on rendered clips whose truth is
known, sharp and degraded; the tests hold its error rate far below what it is used to measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from magi_engine.training.captions import SceneFacts
from magi_engine.training.motion_analysis import classify_motion
from magi_engine.training.scenes import Background, Colour, Motion, Shape
from magi_engine.training.silhouettes import ShapeTable, measure_outline
from magi_engine.training.tracking import (
    Floats,
    Frames,
    Track,
    find_background,
    find_tracks,
    nearest_colour,
)

#: An object counts as present when it is found in this share of the frames.
_PRESENT_SHARE = 0.9


@dataclass(frozen=True)
class ObjectReport:
    """What was measured of one object in a clip of T frames; None: like nothing known.

    Attributes:
        colour, shape, motion: over the whole clip.
        centres: (T, 2) centre of mass x, y in pixels, NaN where the object was not seen.
        diameters: (T,) diameter in pixels of a disc of the same area, NaN where not seen.
        rgb: (T, 3) mean colour of the inside in 8-bit levels, NaN where not seen.
    """

    colour: Colour | None
    shape: Shape | None
    motion: Motion | None
    centres: Floats
    diameters: Floats
    rgb: Floats


@dataclass(frozen=True)
class ClipReport:
    """What was found in a clip; the most visible object first."""

    background: Background | None
    objects: tuple[ObjectReport, ...]


@dataclass(frozen=True)
class Score:
    """Which parts of what was asked for are in a clip; for two objects each part means both."""

    background: bool
    objects: bool
    colour: bool
    shape: bool
    motion: bool


class ClipAnalyser:
    """Analyses clips; holds the silhouettes it compares with, so keep one for many clips."""

    def __init__(self) -> None:
        self._shapes = ShapeTable()

    def analyse(self, frames: Frames) -> ClipReport:
        """Report on a clip (T, H, W, 3) uint8.

        To judge what happened before and after a change of the prompt, analyse the two parts.
        """
        background = find_background(frames)
        if background is None:
            return ClipReport(None, ())
        tracks = find_tracks(frames, background)
        return ClipReport(background, tuple(self._report(t, frames.shape[2]) for t in tracks))

    def _report(self, track: Track, width: int) -> ObjectReport:
        outline = measure_outline(track.cover)
        return ObjectReport(
            colour=nearest_colour(np.nanmedian(track.rgb, axis=0)),
            shape=self._shapes.classify(outline),
            motion=classify_motion(outline, width),
            centres=outline.centre,
            diameters=outline.diameter,
            rgb=track.rgb,
        )


def analyse_clip(frames: Frames) -> ClipReport:
    """Report on one clip (T, H, W, 3) uint8; for many clips keep a ``ClipAnalyser``."""
    return ClipAnalyser().analyse(frames)


def score(report: ClipReport, expected: SceneFacts) -> Score:
    """Compare a report with what was asked for, pairing the objects in the most favourable way.

    An object too many or too few fails ``objects`` only; a missing one also fails its parts.
    """
    found = report.objects
    wanted = expected.objects
    pairings = permutations([*found, *[None] * len(wanted)], len(wanted))
    best = max(
        (
            (
                all(o is not None and o.colour is w.colour for o, w in pairs),
                all(o is not None and o.shape is w.shape for o, w in pairs),
                all(o is not None and o.motion is w.motion for o, w in pairs),
            )
            for pairs in (list(zip(p, wanted, strict=True)) for p in pairings)
        ),
        key=sum,
    )
    return Score(report.background is expected.background, len(found) == len(wanted), *best)


def object_present(frames: Frames, colour: Colour) -> bool:
    """Whether an object of ``colour`` is seen in (nearly) all frames (T, H, W, 3)."""
    background = find_background(frames)
    if background is None:
        return False
    seen = np.zeros(len(frames), bool)
    for track in find_tracks(frames, background):
        for t in np.nonzero(track.seen)[0]:
            seen[t] |= nearest_colour(track.rgb[t]) is colour
    return float(seen.mean()) >= _PRESENT_SHARE


def psnr(first: Frames, second: Frames) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays of one shape; infinite if equal."""
    error = float(np.square(first.astype(np.float64) - second.astype(np.float64)).mean())
    return math.inf if error == 0 else 10 * math.log10(255.0**2 / error)
