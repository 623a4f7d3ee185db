"""Draw scenes as frames: anti-aliased shapes with a soft light, all on the device of the scenes.

The signed distance of each shape is tabulated once; drawing a frame is then one bilinear look-up
per pixel, however complicated the outline.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from magi_engine.training.scenes import BACKGROUND_RGB, COLOUR_RGB, SceneBatch, Shape
from magi_engine.training.shapes import TILE_PIXELS, TILE_REACH, distance_tile
from magi_engine.training.simulation import Trajectories

DEFAULT_SIZE = 128
#: Objects are this much lighter at their upper left and darker at their lower right.
_OBJECT_LIGHT = 0.11
#: 8-bit levels by which the backdrop is lighter at the top and darker at the bottom.
BACKDROP_LIGHT = 7.0
#: Pixels drawn at once; bounds the working memory to about 1.5 GB.
_PIXELS_AT_ONCE = 16 * 2**20
#: Less than the tile's reach, more than the reach of any shape plus its soft edge.
_LOOKUP_REACH = 1.45


class Renderer:
    """Draws scenes; holds the table of signed distances on one device.

    Args:
        device: where the scenes are and the frames will be.
        size: width and height of the frames in pixels.
    """

    def __init__(self, device: torch.device | str = "cpu", size: int = DEFAULT_SIZE) -> None:
        self.size = size
        tiles = torch.cat([distance_tile(shape) for shape in Shape])  # (shapes * P, P)
        self._table = tiles[None, None].to(device)
        self._pixels = ((torch.arange(size) + 0.5) / size).to(device)
        self._colours = torch.tensor(list(COLOUR_RGB.values()), dtype=torch.float32).to(device)
        backdrops = [backdrop(rgb, size) for rgb in BACKGROUND_RGB.values()]
        self._backdrops = torch.stack(backdrops).to(device)  # (backgrounds, 3, size)

    @torch.no_grad()
    def render(self, scenes: SceneBatch, trajectories: Trajectories) -> Tensor:
        """Frames of all scenes, (N, T, 3, size, size) uint8.

        Only the result grows with N: scenes are drawn a bounded number of pixels at a time.
        """
        count, frames = len(scenes), trajectories.radius.shape[2]
        size = self.size
        out = torch.empty(
            (count, frames, 3, size, size), dtype=torch.uint8, device=self._pixels.device
        )
        step = max(1, _PIXELS_AT_ONCE // (frames * size * size))
        for first in range(0, count, step):
            part = slice(first, first + step)
            self._draw(scenes[part], trajectories[part], out[part])
        return out

    def _draw(self, scenes: SceneBatch, trajectories: Trajectories, out: Tensor) -> None:
        """Draw into ``out`` (n, T, 3, S, S): every first object, then the second ones there are."""
        backdrops = self._backdrops[trajectories.background]  # (n, T, 3, S), one value per row
        picture = backdrops[..., None].expand(out.shape)
        picture = self._with_object(picture, scenes, trajectories, 0)
        pair = (scenes.count > 1).nonzero()[:, 0]
        if len(pair):
            picture[pair] = self._with_object(picture[pair], scenes[pair], trajectories[pair], 1)
        out.copy_(picture.clamp_(0, 255).round_())

    def _with_object(
        self, picture: Tensor, scenes: SceneBatch, trajectories: Trajectories, slot: int
    ) -> Tensor:
        """``picture`` (n, T, 3, S, S) with the object of one slot on top."""
        centre = trajectories.centre[:, slot]  # (n, T, 2)
        radius = trajectories.radius[:, slot][..., None]  # (n, T, 1)
        angle = trajectories.angle[:, slot][..., None]
        x = (self._pixels - centre[..., :1]) / radius  # (n, T, S)
        y = (self._pixels - centre[..., 1:]) / radius
        cos, sin = angle.cos(), angle.sin()
        u = (cos * x)[..., None, :] + (sin * y)[..., :, None]  # (n, T, S, S)
        v = (cos * y)[..., :, None] - (sin * x)[..., None, :]
        distance = self._distance(u, v, scenes.shape[:, slot]) * (radius[..., None] * self.size)
        cover = (0.5 - distance).clamp_(0, 1)[:, :, None]  # (n, T, 1, S, S)

        light = x[..., None, :] + y[..., :, None]  # (n, T, S, S)
        light = light.mul_(-_OBJECT_LIGHT / 2).add_(1.0)[:, :, None]
        paint = self._colours[trajectories.colour[:, slot]][..., None, None]  # (n, T, 3, 1, 1)
        return torch.lerp(picture, (paint * light).clamp_(0, 255), cover)

    def _distance(self, u: Tensor, v: Tensor, shape: Tensor) -> Tensor:
        """Signed distance in radii of points (n, T, S, S) to the outlines ``shape`` (n,)."""
        rows = len(Shape) * TILE_PIXELS
        u = u.clamp_(-_LOOKUP_REACH, _LOOKUP_REACH).div_(TILE_REACH)
        v = v.clamp_(-_LOOKUP_REACH, _LOOKUP_REACH)
        # Row of the stacked tiles, then torch's [-1, 1] over all rows.
        row = v.add_(TILE_REACH).mul_((TILE_PIXELS - 1) / (2 * TILE_REACH))
        row = row.add_((shape * TILE_PIXELS)[:, None, None, None])
        grid = torch.stack([u, row.mul_(2 / (rows - 1)).sub_(1)], -1)
        flat = grid.reshape(1, -1, self.size, 2)
        found = functional.grid_sample(
            self._table, flat, mode="bilinear", padding_mode="border", align_corners=True
        )
        return found.reshape(u.shape)


def render(scenes: SceneBatch, trajectories: Trajectories, size: int = DEFAULT_SIZE) -> Tensor:
    """Frames of all scenes, (N, T, 3, size, size) uint8, on the scenes' device."""
    return Renderer(scenes.start.device, size).render(scenes, trajectories)


def backdrop(rgb: tuple[int, int, int], size: int) -> Tensor:
    """(3, size) float32: the colour of each row of a background, lighter at the top."""
    rows = (torch.arange(size) + 0.5) / size
    return torch.tensor(rgb, dtype=torch.float32)[:, None] + BACKDROP_LIGHT * (1 - 2 * rows)
