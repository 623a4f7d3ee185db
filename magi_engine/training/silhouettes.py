"""Measure the silhouette of an object: centre, size, shape and turning.

The outline is described by its radius in each direction from the centre of mass. The strengths
of its Fourier harmonics do not depend on rotation or size, and tell the shapes apart: 2 for a
diamond, 3 for a triangle, 4 for a square, 5 for a star, hardly any for a circle. Their phases
tell how far a shape has turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from magi_engine.training.rendering import Renderer
from magi_engine.training.scenes import NO_EVENT, Background, Colour, SceneBatch, Shape
from magi_engine.training.simulation import Trajectories
from magi_engine.training.tracking import Floats, find_tracks

_DIRECTIONS = 64
_HARMONICS = 8
#: A silhouette further than this from every known one has no name.
_SHAPE_DISTANCE = 0.10
_TEMPLATE_RADII = (0.075, 0.09, 0.11, 0.14, 0.18)
_TEMPLATE_ANGLES = (0.0, 0.4)
_TEMPLATE_BLUR = 0.8
#: Weakest harmonic, relative to the mean radius, whose phase can be followed.
_FAINTEST_HARMONIC = 0.03


@dataclass(frozen=True)
class Outline:
    """Measurements of one object in T frames; NaN where it was not seen.

    Attributes:
        centre: (T, 2) centre of mass x, y in pixels; (0, 0) is the picture's top left corner.
        diameter: (T,) diameter in pixels of a disc of the same area.
        reach: (T, 4) distance in pixels from the centre to the left, top, right and bottom edge.
        harmonics: (T, 9) complex Fourier coefficients 0..8 of the radius, relative to its mean.
    """

    centre: Floats
    diameter: Floats
    reach: Floats
    harmonics: np.ndarray


def measure_outline(cover: Floats) -> Outline:
    """Measure an object from the share of each pixel that it covers, (T, H, W)."""
    count, height, width = cover.shape
    area = cover.sum((1, 2))
    seen = area > 0
    safe = np.where(seen, area, 1)
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    x = (cover.sum(1) * xs).sum(1) / safe
    y = (cover.sum(2) * ys).sum(1) / safe
    centre = np.stack([x, y], 1)
    diameter = 2 * np.sqrt(area / np.pi)
    profile = _radial_profile(cover, centre, 1.1 * float(diameter.max(initial=1.0)))
    spectrum = np.fft.rfft(profile, axis=1)[:, : _HARMONICS + 1]
    mean = np.where(seen, spectrum[:, 0].real, 1)
    reach = np.zeros((count, 4))
    for t in np.nonzero(seen)[0]:
        columns = xs[(cover[t] > 0.5).any(0)]
        rows = ys[(cover[t] > 0.5).any(1)]
        if len(columns):
            edges = (x[t] - columns[0], y[t] - rows[0], columns[-1] - x[t], rows[-1] - y[t])
            reach[t] = np.array(edges) + 0.5
    unseen = np.where(seen, 0.0, np.nan)
    return Outline(
        (centre + unseen[:, None]).astype(np.float32),
        (diameter + unseen).astype(np.float32),
        (reach + unseen[:, None]).astype(np.float32),
        spectrum / mean[:, None] + unseen[:, None],
    )


class ShapeTable:
    """Silhouettes of all shapes as the renderer draws them, sharp and slightly blurred."""

    def __init__(self) -> None:
        strengths, shapes = [], []
        renderer = Renderer()
        for shape in Shape:
            frames = _template_frames(renderer, shape)
            for seen in (frames, gaussian_blur(frames, _TEMPLATE_BLUR)):
                cover = find_tracks(seen, Background.BLACK)[0].cover
                harmonics = measure_outline(cover).harmonics
                groups = np.abs(harmonics[:, 1:]).reshape(len(_TEMPLATE_RADII), -1, _HARMONICS)
                strengths.append(groups.mean(1))
                shapes += [shape] * len(_TEMPLATE_RADII)
        self._strengths = np.concatenate(strengths)  # (templates, 8)
        self._shapes = shapes

    def classify(self, outline: Outline) -> Shape | None:
        """The shape of a silhouette seen in at least one frame, if it resembles any."""
        strength = np.nanmedian(np.abs(outline.harmonics[:, 1:]), axis=0)
        distance = np.linalg.norm(self._strengths - strength, axis=1)
        best = int(distance.argmin())
        return self._shapes[best] if distance[best] <= _SHAPE_DISTANCE else None


def turned(outline: Outline) -> float:
    """Clockwise rotation in radians over the frames in which the object is seen."""
    seen = ~np.isnan(outline.diameter)
    harmonics = outline.harmonics[seen][:, 1:7]
    if len(harmonics) < 2:
        return 0.0
    strength = np.median(np.abs(harmonics), axis=0)
    order = int(strength.argmax())
    if strength[order] < _FAINTEST_HARMONIC:
        return 0.0
    wave = harmonics[:, order]
    steps = -np.angle(wave[1:] * wave[:-1].conj()) / (order + 1)
    return float(steps.sum())


def _radial_profile(cover: Floats, centre: np.ndarray, farthest: float) -> np.ndarray:
    """(T, directions) length of each ray from the centre that lies inside the object, in pixels."""
    step = 0.5
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    along = (np.arange(int(farthest / step)) + 0.5) * step
    dx, dy = np.outer(np.cos(angles), along), np.outer(np.sin(angles), along)  # (D, R)
    # Pixel i covers [i, i+1), so its centre is at i + 0.5.
    x = centre[:, 0, None, None] - 0.5 + dx  # (T, D, R)
    y = centre[:, 1, None, None] - 0.5 + dy
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - x0, y - y0
    framed = np.pad(cover, ((0, 0), (1, 1), (1, 1)))
    height, width = framed.shape[1:]
    t = np.arange(len(cover))[:, None, None]

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return framed[t, (row + 1).clip(0, height - 1), (column + 1).clip(0, width - 1)]

    upper = at(y0, x0) * (1 - fx) + at(y0, x0 + 1) * fx
    lower = at(y0 + 1, x0) * (1 - fx) + at(y0 + 1, x0 + 1) * fx
    return (upper * (1 - fy) + lower * fy).sum(2) * step


def _template_frames(renderer: Renderer, shape: Shape) -> np.ndarray:
    """(radii * angles, H, W, 3) uint8: one shape, red on black, in the middle."""
    radii = torch.tensor(_TEMPLATE_RADII).repeat_interleave(len(_TEMPLATE_ANGLES))
    angles = torch.tensor(_TEMPLATE_ANGLES).repeat(len(_TEMPLATE_RADII))
    count = len(radii)
    trajectories = Trajectories(
        centre=torch.full((1, 2, count, 2), 0.5),
        radius=radii.expand(1, 2, -1),
        angle=angles.expand(1, 2, -1),
        colour=torch.full((1, 2, count), int(Colour.RED)),
        background=torch.full((1, count), int(Background.BLACK)),
    )
    drawn = renderer.render(_one_object(shape), trajectories)
    return drawn[0].permute(0, 2, 3, 1).numpy()


def gaussian_blur(frames: np.ndarray, sigma: float) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 blurred with a Gaussian of ``sigma`` pixels."""
    taps = np.arange(-3, 4)
    kernel = np.exp(-0.5 * (taps / sigma) ** 2)
    kernel /= kernel.sum()
    blurred = frames.astype(np.float32)
    for axis in (1, 2):
        pads = [(0, 0)] * 4
        pads[axis] = (3, 3)
        padded = np.pad(blurred, pads, mode="edge")
        length = frames.shape[axis]
        blurred = sum(
            weight * padded[(slice(None),) * axis + (slice(i, i + length),)]
            for i, weight in enumerate(kernel)
        )
    return np.asarray(blurred).round().clip(0, 255).astype(np.uint8)


def _one_object(shape: Shape) -> SceneBatch:
    """A scene with one red object on black; where it is comes from the trajectories."""
    pair = torch.zeros(1, 2)
    segments = torch.zeros(1, 2, 2)
    return SceneBatch(
        background=torch.full((1, 2), int(Background.BLACK)),
        count=torch.tensor([1]),
        shape=torch.full((1, 2), int(shape)),
        colour=segments.long(),
        motion=segments.long(),
        start=segments,
        radius=pair,
        excess=pair,
        wrong_chunks=torch.tensor([0]),
        heading=segments,
        speed=segments,
        orbit=pair,
        event_kind=torch.tensor([0]),
        event_object=torch.tensor([0]),
        event_frame=torch.tensor([NO_EVENT]),
        hold_frames=torch.tensor([0]),
    )
