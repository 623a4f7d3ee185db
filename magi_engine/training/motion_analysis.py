"""Name the motion of an object from its measured track.

Each kind of motion is a small model; the track is given the name of the model that explains it
within a tolerance, or none. Lengths are in picture widths.
"""

from __future__ import annotations

import math

import numpy as np

from magi_engine.training.scenes import DIRECTIONS, FRAMES_PER_SECOND, Motion
from magi_engine.training.silhouettes import Outline, turned

#: An object whose centre stays within a box of this diagonal has not moved.
_RESTING_EXTENT = 0.07
#: Logarithm of the change of diameter from which on an object grows or shrinks.
_RESIZED = 0.10
#: Rotation from which on an object spins, in radians.
_SPUN = math.radians(45)
#: A straight track stays this close to its chord ...
_STRAIGHT_TOLERANCE = 0.045
#: ... and never goes back by more than this.
_BACKTRACK = 0.04
_CIRCLE_TOLERANCE = 0.03
_BOUNCE_TOLERANCE = 0.04
#: Least angle around the centre that counts as circling.
_CIRCLED = math.radians(100)
_ORBITS = (0.05, 0.45)
#: At most this share of the turning may happen in one quarter of the way: no corners.
_SHARPEST_QUARTER = 0.6
#: How far before a wall an object may turn around, and how far into it.
_WALL_SLACK = (0.05, 0.08)
_FASTEST = 0.75
#: With fewer sightings than this nothing can be said.
_FEWEST_FRAMES = 8


def classify_motion(outline: Outline, width: int) -> Motion | None:
    """The motion of an object over the frames in which it is seen; None if it fits no model.

    Args:
        outline: its measurements in consecutive frames.
        width: of the picture in pixels, the unit of all tolerances.
    """
    seen = ~np.isnan(outline.diameter)
    if seen.sum() < _FEWEST_FRAMES:
        return None
    time = np.nonzero(seen)[0] / FRAMES_PER_SECOND
    path = _smoothed(outline.centre[seen].astype(np.float64) / width)
    if float(np.hypot(*np.ptp(path, axis=0))) < _RESTING_EXTENT:
        return _resting(outline, seen)
    straight = _straight(path)
    if straight is not None:
        return straight
    bounce = _bounce_error(path, time, np.median(outline.reach[seen], axis=0) / width)
    circle, direction = _circle_error(path)
    if bounce < _BOUNCE_TOLERANCE and bounce <= circle:
        return Motion.BOUNCE
    return direction if circle < _CIRCLE_TOLERANCE else None


def _resting(outline: Outline, seen: np.ndarray) -> Motion:
    """What an object does in its place."""
    diameter = outline.diameter[seen]
    growth = math.log(float(np.median(diameter[-3:]) / np.median(diameter[:3])))
    if abs(growth) > _RESIZED:
        return Motion.GROW if growth > 0 else Motion.SHRINK
    return Motion.SPIN if abs(turned(outline)) > _SPUN else Motion.STILL


def _straight(path: np.ndarray) -> Motion | None:
    """The direction of a straight one-way track; it may rest before or after."""
    chord = path[-1] - path[0]
    length = float(np.linalg.norm(chord))
    if length < _RESTING_EXTENT / 2:
        return None
    along = (path - path[0]) @ chord / length
    aside = np.abs((path - path[0]) @ np.array([-chord[1], chord[0]]) / length)
    backtrack = (np.maximum.accumulate(along) - along).max()
    if aside.max() > _STRAIGHT_TOLERANCE or backtrack > _BACKTRACK:
        return None
    return max(DIRECTIONS, key=lambda m: float(np.dot(DIRECTIONS[m], chord)))


def _bounce_error(path: np.ndarray, time: np.ndarray, reach: np.ndarray) -> float:
    """RMS distance from the best flight at constant speed between the walls that meets one.

    Args:
        path: (T, 2); time: (T,) seconds; reach: (4,) extents of the object left, up, right, down.
    """
    squared, reflections = 0.0, 0
    for axis in (0, 1):
        x = path[:, axis]
        low, high = float(reach[axis]), 1 - float(reach[axis + 2])
        # Where it turned, or should have, within the slack.
        low = float(np.clip(x.min(), low - _WALL_SLACK[0], low + _WALL_SLACK[1]))
        high = float(np.clip(x.max(), high - _WALL_SLACK[1], high + _WALL_SLACK[0]))
        speeds = np.arange(-_FASTEST, _FASTEST + 1e-6, 0.01)[:, None, None]
        first = x[0] + np.arange(-0.02, 0.021, 0.01)[:, None]
        free = first + speeds * (time - time[0])  # (speeds, starts, T)
        folded = np.mod(free - low, 2 * (high - low))
        folded = low + np.minimum(folded, 2 * (high - low) - folded)
        errors = np.square(folded - x).mean(-1)
        best = np.unravel_index(int(errors.argmin()), errors.shape)
        squared += float(errors[best])
        beyond = (free[best] < low - 0.02) | (free[best] > high + 0.02)
        reflections += int(beyond.any())
    return math.sqrt(squared) if reflections else math.inf


def _circle_error(path: np.ndarray) -> tuple[float, Motion | None]:
    """RMS distance from the best circle, and the sense of rotation if it is circling at all."""
    system = np.column_stack([2 * path, np.ones(len(path))])
    solution = np.linalg.lstsq(system, np.square(path).sum(1), rcond=None)[0]
    spokes = path - solution[:2]
    lengths = np.linalg.norm(spokes, axis=1)
    radius = float(lengths.mean())
    angles = np.unwrap(np.arctan2(spokes[:, 1], spokes[:, 0]))
    swept = float(angles[-1] - angles[0])
    steady = abs(swept) > 0.9 * np.abs(np.diff(angles)).sum()
    if abs(swept) < _CIRCLED or not steady or not _ORBITS[0] < radius < _ORBITS[1]:
        return math.inf, None
    if _turning_in_sharpest_quarter(path) > _SHARPEST_QUARTER:
        return math.inf, None
    # The y axis points down, so growing angles are clockwise on the screen.
    sense = Motion.CIRCLE_CLOCKWISE if swept > 0 else Motion.CIRCLE_COUNTERCLOCKWISE
    return float(np.sqrt(np.square(lengths - radius).mean())), sense


def _turning_in_sharpest_quarter(path: np.ndarray) -> float:
    """The share of a track's change of direction that falls into one quarter of its way."""
    way = np.concatenate([[0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
    marks = np.linspace(0, way[-1], 25)
    evenly = np.stack([np.interp(marks, way, path[:, axis]) for axis in (0, 1)], 1)
    steps = np.diff(evenly, axis=0)
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))  # (24,)
    total = abs(heading[-1] - heading[0])
    return float(np.abs(heading[6:] - heading[:-6]).max() / max(total, 1e-9))


def _smoothed(path: np.ndarray) -> np.ndarray:
    """Moving average over three frames; the ends keep their places."""
    inner = (path[:-2] + path[1:-1] + path[2:]) / 3
    return np.concatenate([path[:1], inner, path[-1:]])
