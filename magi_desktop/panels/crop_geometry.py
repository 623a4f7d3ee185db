"""Moving and resizing a crop frame whose shape is locked to that of the video.

All lengths are pixels of the picture as it is displayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from magi_engine.media.fit import CropBox

_GRID = 64
"""Frames lie on this part of a pixel: left + width is exact and never leaves the picture."""
_LEAST_SCALE = 0.05
_LEAST_PIXELS = 16
_SAME = 0.001


class Corner(Enum):
    """A corner, as the sides it has: (right?, bottom?)."""

    TOP_LEFT = (False, False)
    TOP_RIGHT = (True, False)
    BOTTOM_LEFT = (False, True)
    BOTTOM_RIGHT = (True, True)


@dataclass(frozen=True)
class CropGeometry:
    """A picture and the shape (width / height) of every frame in it."""

    width: float
    height: float
    aspect: float

    @property
    def largest(self) -> CropBox:
        """The largest frame, in the middle: what is used unless one is chosen."""
        width = min(self.width, self.height * self.aspect)
        height = width / self.aspect
        return self._box((self.width - width) / 2, (self.height - height) / 2, width)

    @property
    def is_whole(self) -> bool:
        """Whether the picture has the frame's shape already."""
        return abs(math.log(self.width / self.height / self.aspect)) < _SAME

    def adopt(self, crop: CropBox | None) -> CropBox:
        """The frame for a crop of perhaps another shape: relatively as large, around its middle."""
        if crop is None:
            return self.largest
        if self._has(crop):
            return crop
        own = CropGeometry(self.width, self.height, crop.width / crop.height).largest
        scale = min(1.0, crop.width / own.width)
        if scale > 1 - _SAME and self._is_central(crop):
            return self.largest
        width = max(self._least_width, self.largest.width * scale)
        return self._around(crop.left + crop.width / 2, crop.top + crop.height / 2, width)

    def moved(self, frame: CropBox, right: float, down: float) -> CropBox:
        """The frame shifted, as far as the picture goes."""
        return self._box(frame.left + right, frame.top + down, frame.width)

    def scaled(self, frame: CropBox, factor: float) -> CropBox:
        """The frame grown or shrunk around its middle."""
        width = min(max(frame.width * factor, self._least_width), self.largest.width)
        return self._around(frame.left + frame.width / 2, frame.top + frame.height / 2, width)

    def dragged(self, frame: CropBox, corner: Corner, x: float, y: float) -> CropBox:
        """The frame with a corner drawn towards a point; the opposite corner stays."""
        right, bottom = corner.value
        fixed_x = frame.left if right else frame.left + frame.width
        fixed_y = frame.top if bottom else frame.top + frame.height
        across = (x - fixed_x) if right else (fixed_x - x)
        down = (y - fixed_y) if bottom else (fixed_y - y)
        room_x = self.width - fixed_x if right else fixed_x
        room_y = self.height - fixed_y if bottom else fixed_y
        width = max(across, down * self.aspect, self._least_width)
        width = min(width, room_x, room_y * self.aspect)
        left = fixed_x if right else fixed_x - width
        top = fixed_y if bottom else fixed_y - width / self.aspect
        return self._box(left, top, width)

    @property
    def _least_width(self) -> float:
        largest = min(self.width, self.height * self.aspect)
        least = _LEAST_PIXELS * max(1.0, self.aspect)
        return min(largest, max(_LEAST_SCALE * largest, least))

    def _has(self, crop: CropBox) -> bool:
        """Whether a crop has the shape, as nearly as the grid allows, and lies in the picture."""
        inside = (
            min(crop.left, crop.top) >= 0
            and crop.left + crop.width <= self.width
            and crop.top + crop.height <= self.height
        )
        slack = 2 * max(1.0, self.aspect) / _GRID
        return inside and abs(crop.width - crop.height * self.aspect) <= slack

    def _is_central(self, crop: CropBox) -> bool:
        slack = 1.0
        return (
            abs(2 * crop.left + crop.width - self.width) <= slack
            and abs(2 * crop.top + crop.height - self.height) <= slack
        )

    def _around(self, x: float, y: float, width: float) -> CropBox:
        return self._box(x - width / 2, y - width / self.aspect / 2, width)

    def _box(self, left: float, top: float, width: float) -> CropBox:
        """A frame of a width, pushed into the picture."""
        wide, high = _down(width), max(1 / _GRID, _down(width / self.aspect))
        left = _down(min(max(left, 0.0), self.width - wide))
        top = _down(min(max(top, 0.0), self.height - high))
        return CropBox(max(left, 0.0), max(top, 0.0), wide, high)


def _down(length: float) -> float:
    """Round down to the grid, but take 11.99999 for 12."""
    return math.floor(length * _GRID + 1e-6) / _GRID
