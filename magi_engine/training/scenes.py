"""What the pocket model's world is made of: its vocabulary and a batch of scene descriptions.

Positions and lengths are in picture widths, x to the right, y **down**, so that (0, 0) is the
top left corner and (1, 1) the bottom right one. Angles are in radians and, because y points
down, grow clockwise on the screen. Speeds are per second at ``FRAMES_PER_SECOND``.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

FRAMES_PER_SECOND = 24
CHUNK_FRAMES = 24
MAX_OBJECTS = 2
#: A scene has one segment before its event and one after it; without an event both are equal.
SEGMENTS = 2
#: Stands in ``SceneBatch.event_frame`` for "nothing ever changes".
NO_EVENT = 2**30


class Shape(enum.IntEnum):
    """Outlines an object can have."""

    CIRCLE = 0
    SQUARE = 1
    TRIANGLE = 2
    STAR = 3
    DIAMOND = 4
    HEART = 5


class Colour(enum.IntEnum):
    """Colours an object can have."""

    RED = 0
    ORANGE = 1
    YELLOW = 2
    GREEN = 3
    CYAN = 4
    BLUE = 5
    PURPLE = 6
    PINK = 7


class Background(enum.IntEnum):
    """Backdrops; all muted, so that no object ever melts into one."""

    BLACK = 0
    WHITE = 1
    NAVY = 2
    DARK_GREEN = 3
    BEIGE = 4
    GREY = 5


class Motion(enum.IntEnum):
    """What an object does during one segment."""

    STILL = 0
    LEFT = 1
    RIGHT = 2
    UP = 3
    DOWN = 4
    UP_LEFT = 5
    UP_RIGHT = 6
    DOWN_LEFT = 7
    DOWN_RIGHT = 8
    BOUNCE = 9
    CIRCLE_CLOCKWISE = 10
    CIRCLE_COUNTERCLOCKWISE = 11
    SPIN = 12
    GROW = 13
    SHRINK = 14


class EventKind(enum.IntEnum):
    """What changes at the event of a scene."""

    NONE = 0
    COLOUR = 1
    MOTION = 2
    BACKGROUND = 3


class SizeBand(enum.Enum):
    """Size, as far as a caption may mention it."""

    SMALL = "small"
    NORMAL = "normal"
    LARGE = "large"


class SpeedBand(enum.IntEnum):
    """Coarse speed, as far as a caption may mention it."""

    SLOW = 0
    NORMAL = 1
    FAST = 2


#: 8-bit RGB of each colour.
COLOUR_RGB: dict[Colour, tuple[int, int, int]] = {
    Colour.RED: (228, 38, 48),
    Colour.ORANGE: (250, 132, 20),
    Colour.YELLOW: (253, 216, 38),
    Colour.GREEN: (46, 182, 74),
    Colour.CYAN: (46, 212, 230),
    Colour.BLUE: (44, 92, 242),
    Colour.PURPLE: (140, 58, 214),
    Colour.PINK: (252, 122, 190),
}

#: 8-bit RGB of each background at half height.
BACKGROUND_RGB: dict[Background, tuple[int, int, int]] = {
    Background.BLACK: (18, 18, 21),
    Background.WHITE: (240, 240, 238),
    Background.NAVY: (25, 32, 74),
    Background.DARK_GREEN: (20, 58, 42),
    Background.BEIGE: (226, 210, 180),
    Background.GREY: (118, 122, 128),
}

_DIAGONAL = math.sqrt(0.5)
#: Unit direction of every straight motion.
DIRECTIONS: dict[Motion, tuple[float, float]] = {
    Motion.LEFT: (-1.0, 0.0),
    Motion.RIGHT: (1.0, 0.0),
    Motion.UP: (0.0, -1.0),
    Motion.DOWN: (0.0, 1.0),
    Motion.UP_LEFT: (-_DIAGONAL, -_DIAGONAL),
    Motion.UP_RIGHT: (_DIAGONAL, -_DIAGONAL),
    Motion.DOWN_LEFT: (-_DIAGONAL, _DIAGONAL),
    Motion.DOWN_RIGHT: (_DIAGONAL, _DIAGONAL),
}
STRAIGHT_MOTIONS: tuple[Motion, ...] = tuple(DIRECTIONS)

#: Slow below the first, fast above the second number, in the unit of ``SceneBatch.speed``.
SPEED_BANDS: dict[Motion, tuple[float, float]] = {
    **dict.fromkeys(DIRECTIONS, (0.22, 0.33)),
    Motion.BOUNCE: (0.35, 0.45),
    Motion.CIRCLE_CLOCKWISE: (0.32, 0.45),
    Motion.CIRCLE_COUNTERCLOCKWISE: (0.32, 0.45),
    Motion.SPIN: (0.36, 0.48),
    Motion.GROW: (0.028, 0.037),
    Motion.SHRINK: (0.028, 0.037),
}

#: Radius of what neither grows nor shrinks. There are no sizes between, so that a model can tell
#: that one is a little wrong: each chunk copies the one before, and its errors would add up.
RADIUS: dict[SizeBand, float] = {
    SizeBand.SMALL: 0.107,
    SizeBand.NORMAL: 0.132,
    SizeBand.LARGE: 0.160,
}

#: Radii at which growing and shrinking end; what is smaller has no outline to speak of.
RADIUS_LIMITS = (0.09, 0.185)


@dataclass(frozen=True)
class SceneBatch:
    """N scenes as a structure of arrays; every field has the scenes on axis 0.

    Attributes:
        background: (N, 2) int64, ``Background`` in each segment.
        count: (N,) int64, number of objects, 1 or 2. A missing object's fields are arbitrary.
        shape: (N, 2) int64, ``Shape`` of each object.
        colour: (N, 2, 2) int64, ``Colour`` of each object in each segment.
        motion: (N, 2, 2) int64, ``Motion`` of each object in each segment.
        start: (N, 2, 2) float32, centre (x, y) of each object at time 0.
        radius: (N, 2) float32, radius of each object at time 0.
        excess: (N, 2) float32, by which share an object is larger than that (negative: smaller) in
            the first ``wrong_chunks`` chunks; from then on it comes to its size.
        wrong_chunks: (N,) int64, how long that lasts.
        heading: (N, 2, 2) float32, direction of flight of straight and bouncing objects in each
            segment; for circling ones the phase on the orbit at the start of the segment.
        speed: (N, 2, 2) float32, per segment: widths/s of straight and bouncing objects, turns/s
            of circling and spinning ones, change of radius per second of growing and shrinking
            ones; never negative.
        orbit: (N, 2) float32, radius of the orbit of circling objects.
        event_kind: (N,) int64, ``EventKind``.
        event_object: (N,) int64, index of the object that changes.
        event_frame: (N,) int64, first frame that shows the change, or ``NO_EVENT``.
        hold_frames: (N,) int64, how many equal frames the clip starts with (0: moves at once).
    """

    background: Tensor
    count: Tensor
    shape: Tensor
    colour: Tensor
    motion: Tensor
    start: Tensor
    radius: Tensor
    excess: Tensor
    wrong_chunks: Tensor
    heading: Tensor
    speed: Tensor
    orbit: Tensor
    event_kind: Tensor
    event_object: Tensor
    event_frame: Tensor
    hold_frames: Tensor

    def __len__(self) -> int:
        return self.background.shape[0]

    def __getitem__(self, index: slice | Tensor) -> SceneBatch:
        """The scenes of a slice, an index tensor or a mask, as a batch."""
        return SceneBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: torch.device | str) -> SceneBatch:
        """The same scenes on another device."""
        return SceneBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @staticmethod
    def cat(batches: list[SceneBatch]) -> SceneBatch:
        """All scenes of several batches, in order."""
        names = [f.name for f in fields(SceneBatch)]
        return SceneBatch(**{n: torch.cat([getattr(b, n) for b in batches]) for n in names})


def is_straight(motion: Tensor) -> Tensor:
    """Mask of the motions that go along a straight line to the edge."""
    return (motion >= Motion.LEFT) & (motion <= Motion.DOWN_RIGHT)


def is_circling(motion: Tensor) -> Tensor:
    """Mask of the two circling motions."""
    return (motion == Motion.CIRCLE_CLOCKWISE) | (motion == Motion.CIRCLE_COUNTERCLOCKWISE)


def is_resizing(motion: Tensor) -> Tensor:
    """Mask of the two motions that change the size."""
    return (motion == Motion.GROW) | (motion == Motion.SHRINK)


def size_band(radius: float) -> SizeBand:
    """The nearest of the sizes."""
    return min(RADIUS, key=lambda band: abs(RADIUS[band] - radius))


def speed_band(motion: Motion, speed: float) -> SpeedBand:
    """Whether ``speed`` is slow or fast for its kind of motion; a still object is NORMAL."""
    if motion is Motion.STILL:
        return SpeedBand.NORMAL
    low, high = SPEED_BANDS[motion]
    if speed < low:
        return SpeedBand.SLOW
    return SpeedBand.FAST if speed > high else SpeedBand.NORMAL
