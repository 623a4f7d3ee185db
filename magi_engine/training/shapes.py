"""Outlines of the world's shapes: polygons with rounded corners, centred on their centre of mass.

All in units of the object's radius, at angle 0, y down. A shape is the polygon of
``outline(shape)`` grown by ``rounding(shape)`` on all sides, which rounds its corners.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from magi_engine.training.scenes import Shape

#: Half the side of the square, in radii, that a signed-distance tile covers.
TILE_REACH = 1.5
TILE_PIXELS = 256
_CORNER_ROUNDING = 0.07


def rounding(shape: Shape) -> float:
    """How far the outline of ``shape`` lies outside its polygon, in radii."""
    return 1.0 if shape is Shape.CIRCLE else _CORNER_ROUNDING


def outline(shape: Shape) -> Tensor:
    """Corners of the polygon inside ``shape``, (V, 2) float64, centroid at the origin."""
    if shape is Shape.CIRCLE:
        return torch.zeros(1, 2, dtype=torch.float64)
    if shape is Shape.SQUARE:
        return _centred(_ring(4, 0.80 * math.sqrt(2.0), math.pi / 4))
    if shape is Shape.TRIANGLE:
        return _centred(_ring(3, 1.14, -math.pi / 2))
    if shape is Shape.DIAMOND:
        return _centred(torch.tensor([[0.0, -1.1], [0.66, 0.0], [0.0, 1.1], [-0.66, 0.0]]).double())
    if shape is Shape.STAR:
        tips = _ring(5, 1.12, -math.pi / 2)
        notches = _ring(5, 0.50, -math.pi / 2 + math.pi / 5)
        return _centred(torch.stack([tips, notches], 1).reshape(10, 2))
    t = torch.linspace(0, 2 * math.pi, 97, dtype=torch.float64)[:-1]
    x = 16 * t.sin() ** 3
    y = -(13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos())
    return _centred(torch.stack([x, y], 1) / 16.5)


def extents(shape: Shape) -> tuple[float, float, float, float]:
    """How far ``shape`` reaches left, up, right and down from its centre, in radii."""
    points, grown = outline(shape), rounding(shape)
    low, high = points.amin(0), points.amax(0)
    return (
        grown - float(low[0]),
        grown - float(low[1]),
        grown + float(high[0]),
        grown + float(high[1]),
    )


def extents_table() -> Tensor:
    """(number of shapes, 4) float32: ``extents`` of every shape, indexed by ``Shape``."""
    return torch.tensor([extents(shape) for shape in Shape], dtype=torch.float32)


@functools.cache
def distance_tile(shape: Shape) -> Tensor:
    """Signed distance to the outline, negative inside, in radii; drawn once, not to be changed.

    Returns:
        (TILE_PIXELS, TILE_PIXELS) float32 on a grid whose corner samples lie at
        +-TILE_REACH (``align_corners=True`` in torch's terms).
    """
    axis = torch.linspace(-TILE_REACH, TILE_REACH, TILE_PIXELS, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    p = torch.stack([x, y], -1)  # (P, P, 2)
    corners = outline(shape)
    squared = torch.full(x.shape, torch.inf, dtype=torch.float64)
    inside = torch.zeros(x.shape, dtype=torch.bool)
    for a, b in zip(corners, corners.roll(-1, 0), strict=True):
        edge = b - a
        length2 = float(edge @ edge)
        along = ((p - a) @ edge / length2).clamp(0, 1) if length2 else torch.zeros_like(x)
        squared = torch.minimum(squared, (p - a - along[..., None] * edge).square().sum(-1))
        # Even-odd rule: count the edges that a ray to the right crosses.
        crosses = (a[1] > y) != (b[1] > y)
        if bool(crosses.any()):
            inside ^= crosses & (x < a[0] + (y - a[1]) / (b[1] - a[1]) * edge[0])
    distance = squared.sqrt()
    return (torch.where(inside, -distance, distance) - rounding(shape)).float()


def _ring(count: int, radius: float, first_angle: float) -> Tensor:
    """(count, 2) points at equal angles on a circle."""
    angles = first_angle + torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    return radius * torch.stack([angles.cos(), angles.sin()], 1)


def _centred(points: Tensor) -> Tensor:
    """The polygon moved so that its centre of mass is the origin."""
    following = points.roll(-1, 0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    centroid = ((points + following) * cross[:, None]).sum(0) / (3 * cross.sum())
    return points - centroid
