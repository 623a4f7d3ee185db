"""Random scenes of the pocket model's world, reproducible from a seed.

Typical use, on any device::

    scenes = sample_scenes(64, torch.Generator().manual_seed(1)).to("cuda")
    frames = render(scenes, simulate(scenes, num_frames=96))  # (64, 96, 3, 128, 128) uint8

Object 0 and, in about a fifth of the scenes, object 1. Two objects live in separate halves of the
picture and move along them, so that they never hide each other.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from magi_engine.training.rendering import Renderer, render
from magi_engine.training.scenes import (
    CHUNK_FRAMES,
    DIRECTIONS,
    FRAMES_PER_SECOND,
    MAX_OBJECTS,
    NO_EVENT,
    RADIUS,
    RADIUS_LIMITS,
    SEGMENTS,
    STRAIGHT_MOTIONS,
    Background,
    Colour,
    EventKind,
    Motion,
    SceneBatch,
    Shape,
    SizeBand,
    is_circling,
    is_resizing,
    is_straight,
)
from magi_engine.training.shapes import extents_table
from magi_engine.training.simulation import Trajectories, simulate, walls

__all__ = [
    "CHUNK_FRAMES",
    "FRAMES_PER_SECOND",
    "NO_EVENT",
    "STRAIGHT_MOTIONS",
    "Background",
    "Colour",
    "EventKind",
    "Motion",
    "Renderer",
    "SceneBatch",
    "SceneOptions",
    "Shape",
    "Trajectories",
    "render",
    "sample_scenes",
    "simulate",
]

#: How often each motion is drawn, relative to the others.
MOTION_WEIGHTS: dict[Motion, float] = {
    Motion.STILL: 9,
    **dict.fromkeys((Motion.LEFT, Motion.RIGHT, Motion.UP, Motion.DOWN), 8.0),
    **dict.fromkeys((Motion.UP_LEFT, Motion.UP_RIGHT, Motion.DOWN_LEFT, Motion.DOWN_RIGHT), 5.0),
    Motion.BOUNCE: 14,
    Motion.CIRCLE_CLOCKWISE: 6,
    Motion.CIRCLE_COUNTERCLOCKWISE: 6,
    Motion.SPIN: 8,
    Motion.GROW: 6,
    Motion.SHRINK: 6,
}
#: Motions that stay inside one half of the picture; straight ones only along it.
_LANE_MOTIONS = (Motion.STILL, Motion.SPIN, Motion.GROW, Motion.SHRINK)
_HORIZONTAL = (Motion.LEFT, Motion.RIGHT)
_VERTICAL = (Motion.UP, Motion.DOWN)

_RADII = tuple(RADIUS.values())
_RADII_OF_TWO = _RADII[:2]
_RADIUS_TO_GROW = (0.10, 0.12)
_RADIUS_TO_SHRINK = (0.14, 0.167)
_STRAIGHT_SPEED = (0.15, 0.40)
_BOUNCE_SPEED = (0.30, 0.50)
_CIRCLING_TURNS = (0.25, 0.50)
#: Angle of a bouncing object to an axis: steep enough that every reflection is plain to see.
_BOUNCE_SLANT = (math.radians(27), math.radians(63))
#: What spins has one of these speeds, by the first of these numbers above a random fraction, and a
#: caption says which: if it were left to the noise, every frame would look as if turned several
#: ways at once. No star turns by half its symmetry from one latent frame to the next.
_SPIN_TURNS = (0.30, 0.42, 0.55)
_SPIN_UNTIL = (0.25, 0.75)
_GROWTH = (0.022, 0.045)
_ORBIT = (0.14, 0.24)
#: Where on its orbit an object begins, 0 to the right, clockwise: about the top. From anywhere,
#: both senses would look the same in noise, and be chosen before the words are heard.
_ORBIT_PHASE = (-0.75 * math.pi, -0.25 * math.pi)
#: What has a wrong size is by at most this share larger or smaller: less than half-way to the next.
_EXCESS = 0.09
#: Or nearly as the next, where a caption tells which of the two is right: large ones shrunk, and
#: small ones grown if they rest alone, where that takes no room from anything.
_NAMED_EXCESS = 0.18
#: Reach of any shape in any orientation, in radii.
_TURNING_REACH = 1.25
#: A straight mover usually has this many seconds before the edge.
_FREE_SECONDS = 1.5
#: A bouncing object meets its first wall within these seconds.
_FIRST_BOUNCE_S = (0.3, 1.5)
#: An object only turns towards a direction in which it can go this far, in widths.
_TURNING_ROOM = 0.30


@dataclass(frozen=True)
class SceneOptions:
    """What kind of scenes to draw.

    Attributes:
        two_objects: fraction of the scenes with two objects.
        events: fraction of the scenes in which something changes at a chunk boundary.
        colour_events: fraction of the other events that change a colour; the rest change a motion.
        background_events: fraction of the events that change the background.
        wrong_sizes: fraction of the scenes whose objects have a wrong size for some chunks from the
            start, unless they grow or shrink. At an edge they may reach out of the picture by a
            pixel, unless they rest.
        held_starts: fraction of the scenes that start with ``hold_frames`` equal frames.
        hold_frames: length of a held start (4: the frames of one latent image).
        num_chunks: length of the clips in chunks of 24 frames; events fall on inner boundaries.
        motions: the motions to draw from, one that stands twice twice as often, or None for all
            of them by ``MOTION_WEIGHTS``.
    """

    two_objects: float = 0.2
    events: float = 0.25
    colour_events: float = 0.5
    background_events: float = 0.0
    wrong_sizes: float = 0.0
    held_starts: float = 0.0
    hold_frames: int = 4
    num_chunks: int = 5
    motions: tuple[Motion, ...] | None = None


class _Dice:
    """Random numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self._generator)

    def between(self, bounds: tuple[float, float] | tuple[Tensor, Tensor], *shape: int) -> Tensor:
        return bounds[0] + (bounds[1] - bounds[0]) * self.uniform(*shape)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=self._generator)

    def choice(self, weights: Tensor) -> Tensor:
        """An index into the last axis of ``weights``, drawn in proportion to them."""
        flat = torch.multinomial(
            weights.reshape(-1, weights.shape[-1]), 1, generator=self._generator
        )
        return flat.reshape(weights.shape[:-1])


def sample_scenes(
    count: int, generator: torch.Generator, options: SceneOptions | None = None
) -> SceneBatch:
    """``count`` random scenes on the CPU, the same for the same state of ``generator``.

    Args:
        generator: a CPU generator; it is advanced.
        options: what to draw.
    """
    options = options or SceneOptions()
    dice = _Dice(generator)
    pair = dice.uniform(count) < options.two_objects
    across = dice.uniform(count) < 0.5  # two objects: in the upper and lower half
    motion = dice.choice(_motion_weights(pair, across, options.motions))  # (N, 2)
    shape = dice.integers(0, len(Shape), count, MAX_OBJECTS)
    angular = dice.integers(1, len(Shape), count, MAX_OBJECTS)
    shape = torch.where((motion == Motion.SPIN) & (shape == Shape.CIRCLE), angular, shape)
    first_colour = dice.integers(0, len(Colour), count)
    other_colour = (first_colour + dice.integers(1, len(Colour), count)) % len(Colour)

    radius = _radii(dice, motion, pair)
    speed = _speeds(dice, motion)
    low, high = _lanes(dice, pair, across, motion, shape, radius)
    heading = _headings(dice, motion)
    start, orbit = _starts(dice, motion, speed, heading, low, high)
    held = dice.uniform(count) < options.held_starts
    scenes = SceneBatch(
        background=dice.integers(0, len(Background), count)[:, None].repeat(1, SEGMENTS),
        count=1 + pair.long(),
        shape=shape,
        colour=_both_segments(torch.stack([first_colour, other_colour], 1)),
        motion=_both_segments(motion),
        start=start,
        radius=radius,
        excess=torch.zeros_like(radius),
        wrong_chunks=torch.zeros(count, dtype=torch.long),
        heading=_both_segments(heading),
        speed=_both_segments(speed),
        orbit=orbit,
        event_kind=torch.full((count,), int(EventKind.NONE)),
        event_object=torch.zeros(count, dtype=torch.long),
        event_frame=torch.full((count,), NO_EVENT),
        hold_frames=held.long() * options.hold_frames,
    )
    scenes = _with_events(dice, scenes, across, options)
    if options.wrong_sizes:
        _make_sizes_wrong(dice, scenes, options)
    return scenes


def _both_segments(values: Tensor) -> Tensor:
    """(N, 2) -> (N, 2, 2): the same before and after the event."""
    return values[..., None].repeat(1, 1, SEGMENTS)


def _motion_weights(pair: Tensor, across: Tensor, motions: tuple[Motion, ...] | None) -> Tensor:
    """(N, 2, motions): how likely each object does what."""
    wanted = MOTION_WEIGHTS if motions is None else Counter(motions)
    alone = torch.tensor([float(wanted.get(m, 0)) for m in Motion])

    def lane(along: tuple[Motion, ...]) -> Tensor:
        allowed = torch.tensor([float(m in along or m in _LANE_MOTIONS) for m in Motion])
        weights = alone * allowed
        weights[list(along)] *= 2.5  # as common as straight motions are for single objects
        # A selection without any lane motion still needs something for the second object to do.
        return weights if float(weights.sum()) else allowed

    in_lanes = torch.where(across[:, None], lane(_HORIZONTAL), lane(_VERTICAL))
    weights = torch.where(pair[:, None], in_lanes, alone)
    return weights[:, None].expand(-1, MAX_OBJECTS, -1).contiguous()


def _radii(dice: _Dice, motion: Tensor, pair: Tensor) -> Tensor:
    """(N, 2) radius at the start."""
    fraction = dice.uniform(*motion.shape)

    def scaled(bounds: tuple[float, float]) -> Tensor:
        return bounds[0] + (bounds[1] - bounds[0]) * fraction

    def one_of(sizes: tuple[float, ...]) -> Tensor:
        return torch.tensor(sizes)[(fraction * len(sizes)).long()]

    radius = torch.where(pair[:, None], one_of(_RADII_OF_TWO), one_of(_RADII))
    radius = torch.where(motion == Motion.GROW, scaled(_RADIUS_TO_GROW), radius)
    return torch.where(motion == Motion.SHRINK, scaled(_RADIUS_TO_SHRINK), radius)


def _speeds(dice: _Dice, motion: Tensor) -> Tensor:
    """(N, 2) speed in the unit of its motion."""
    fraction = dice.uniform(*motion.shape)
    speed = torch.zeros_like(fraction)
    for mask, (slowest, fastest) in (
        (is_straight(motion), _STRAIGHT_SPEED),
        (motion == Motion.BOUNCE, _BOUNCE_SPEED),
        (is_circling(motion), _CIRCLING_TURNS),
        (is_resizing(motion), _GROWTH),
    ):
        speed = torch.where(mask, slowest + (fastest - slowest) * fraction, speed)
    which = torch.bucketize(fraction, torch.tensor(_SPIN_UNTIL))
    return torch.where(motion == Motion.SPIN, torch.tensor(_SPIN_TURNS)[which], speed)


def _lanes(
    dice: _Dice, pair: Tensor, across: Tensor, motion: Tensor, shape: Tensor, radius: Tensor
) -> tuple[Tensor, Tensor]:
    """Least and greatest centre (N, 2, 2) that keeps each object in its part of the picture."""
    reach = extents_table()[shape]
    reach = torch.where((motion == Motion.SPIN)[..., None], _TURNING_REACH, reach)
    largest = torch.where(motion == Motion.GROW, RADIUS_LIMITS[1], radius)
    low, high = walls(reach, largest)  # (N, 2, 2)
    swapped = (dice.uniform(len(pair), 1) < 0.5).long()
    half = torch.cat([swapped, 1 - swapped], 1)  # which half each object lives in
    split_axis = torch.stack([~across, across], 1)  # x or y is split
    confined = (pair[:, None] & split_axis)[:, None]  # (N, 1, 2)
    low = torch.where(confined, low + 0.5 * half[..., None], low)
    high = torch.where(confined, high - 0.5 * (1 - half[..., None]), high)
    return low, high


def _headings(dice: _Dice, motion: Tensor) -> Tensor:
    """(N, 2) direction of flight, or phase on the orbit."""
    table = torch.zeros(len(Motion))
    for straight, (x, y) in DIRECTIONS.items():
        table[straight] = math.atan2(y, x)
    quadrant = dice.integers(0, 4, *motion.shape)
    slant = dice.between(_BOUNCE_SLANT, *motion.shape)
    phase = dice.between(_ORBIT_PHASE, *motion.shape)
    heading = torch.where(motion == Motion.BOUNCE, quadrant * (math.pi / 2) + slant, table[motion])
    return torch.where(is_circling(motion), phase, heading)


def _starts(
    dice: _Dice, motion: Tensor, speed: Tensor, heading: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Start positions (N, 2, 2) with room for the motion, and radii of the orbits (N, 2)."""
    fraction = dice.uniform(*motion.shape, 2)
    flight = torch.stack([heading.cos(), heading.sin()], -1)
    velocity = flight * speed[..., None]
    # Straight: leave room ahead.
    room = (_FREE_SECONDS * velocity).where(flight.abs() > 1e-3, torch.zeros(()))
    first = torch.where(room < 0, torch.minimum(low - room, high), low)
    last = torch.where(room > 0, torch.maximum(high - room, low), high)
    straight = first + (last - first) * fraction
    anywhere = low + (high - low) * fraction
    # Bouncing: on one axis, the first wall is a chosen time away.
    meeting = dice.between(_FIRST_BOUNCE_S, *motion.shape)[..., None]
    timed = torch.where(velocity > 0, high - velocity * meeting, low - velocity * meeting)
    timed = timed.clamp(low, high)
    by_x = dice.uniform(*motion.shape)[..., None] < 0.5
    axis_is_x = torch.tensor([True, False])
    bouncing = torch.where(by_x == axis_is_x, timed, anywhere)
    # Circling: the whole orbit fits.
    orbit = torch.minimum(dice.between(_ORBIT, *motion.shape), (high - low).amin(-1) / 2)
    middle = low + orbit[..., None] + (high - low - 2 * orbit[..., None]) * fraction
    circling = middle + orbit[..., None] * flight

    start = torch.where(is_straight(motion)[..., None], straight, anywhere)
    start = torch.where((motion == Motion.BOUNCE)[..., None], bouncing, start)
    return torch.where(is_circling(motion)[..., None], circling, start), orbit


def _with_events(
    dice: _Dice, scenes: SceneBatch, across: Tensor, options: SceneOptions
) -> SceneBatch:
    """The scenes, a fraction of them with one change at a chunk boundary."""
    count = len(scenes)
    rows = torch.arange(count)
    happens = dice.uniform(count) < options.events
    wants_colour = dice.uniform(count) < options.colour_events
    which = (dice.uniform(count) * scenes.count).long()
    frame = CHUNK_FRAMES * dice.integers(1, max(2, options.num_chunks), count)
    # A turned shape would leave the picture at the walls, which are those of the upright one.
    recolours = wants_colour | (scenes.motion[rows, which, 0] == Motion.SPIN)
    kind = torch.where(recolours, int(EventKind.COLOUR), int(EventKind.MOTION))
    kind = torch.where(happens, kind, int(EventKind.NONE))
    scenes.event_kind.copy_(kind)
    scenes.event_object.copy_(which)
    scenes.event_frame.copy_(torch.where(happens, frame, NO_EVENT))

    taken = torch.zeros(count, len(Colour)).scatter(1, scenes.colour[:, :, 0], 1.0)
    new_colour = dice.choice(1 - taken)
    motion, heading, speed = _turns(dice, scenes, which, across)
    for mask, field, value in (
        (kind == EventKind.COLOUR, scenes.colour, new_colour),
        (kind == EventKind.MOTION, scenes.motion, motion),
        (kind == EventKind.MOTION, scenes.heading, heading),
        (kind == EventKind.MOTION, scenes.speed, speed),
    ):
        field[rows[mask], which[mask], 1] = value[mask]
    if options.background_events:
        _change_backgrounds(dice, scenes, options.background_events)
    return scenes


def _make_sizes_wrong(dice: _Dice, scenes: SceneBatch, options: SceneOptions) -> None:
    """Give the objects of a share of the scenes a wrong size, in place."""
    count, motion = len(scenes), scenes.motion[..., 0]
    wrong = (dice.uniform(count) < options.wrong_sizes)[:, None]
    wrong = wrong & (torch.arange(MAX_OBJECTS) < scenes.count[:, None]) & ~is_resizing(motion)
    usual, rests = RADIUS[SizeBand.NORMAL], motion == Motion.STILL
    grown = (scenes.radius < usual) & rests & (scenes.count == 1)[:, None]
    smallest = torch.where(scenes.radius > usual, -_NAMED_EXCESS, -_EXCESS)
    largest = torch.where(grown, _NAMED_EXCESS, _EXCESS)
    excess = dice.between((smallest, largest), *motion.shape)
    scenes.excess.copy_(torch.where(wrong, excess, 0.0))
    lasts = dice.integers(1, max(2, options.num_chunks), count)
    scenes.wrong_chunks.copy_(torch.where(wrong.any(1), lasts, 0))
    # What rests keeps inside the picture meanwhile.
    swollen = scenes.radius * (1 + scenes.excess.clamp(min=0))
    low, high = walls(extents_table()[scenes.shape], swollen)
    inside = scenes.start.clamp(low, high)
    scenes.start.copy_(torch.where((wrong & rests)[..., None], inside, scenes.start))


def _change_backgrounds(dice: _Dice, scenes: SceneBatch, share: float) -> None:
    """Turn a share of the events into changes of the background, in place."""
    chosen = (scenes.event_kind != EventKind.NONE) & (dice.uniform(len(scenes)) < share)
    scenes.event_kind[chosen] = int(EventKind.BACKGROUND)
    for field in (scenes.colour, scenes.motion, scenes.heading, scenes.speed):
        field[chosen, :, 1] = field[chosen, :, 0]
    step = dice.integers(1, len(Background), len(scenes))
    other = (scenes.background[:, 0] + step) % len(Background)
    scenes.background[:, 1] = torch.where(chosen, other, scenes.background[:, 0])


def _turns(
    dice: _Dice, scenes: SceneBatch, which: Tensor, across: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """A new motion, heading and speed (N,) for object ``which`` from where it will be then."""
    rows = torch.arange(len(scenes))
    position, radius = _at_event(scenes)
    position, radius = position[rows, which], radius[rows, which]
    low, high = walls(extents_table()[scenes.shape[rows, which]], radius)
    directions = torch.tensor(list(DIRECTIONS.values()))  # (8, 2)
    ahead = torch.where(directions > 0, (high - position)[:, None], (position - low)[:, None])
    pace = directions.abs()
    distance = torch.where(pace > 1e-4, ahead / pace.clamp(min=1e-4), torch.inf).amin(-1)

    current = scenes.motion[rows, which, 0]
    weights = torch.zeros(len(scenes), len(Motion))
    weights[:, list(DIRECTIONS)] = (distance >= _TURNING_ROOM).float()
    along = torch.zeros(2, len(Motion))
    along[0, list(_VERTICAL)] = 1
    along[1, list(_HORIZONTAL)] = 1
    weights = torch.where((scenes.count > 1)[:, None], weights * along[across.long()], weights)
    weights[rows, current] = 0
    # Coming to rest: rarely, or when there is nowhere to go.
    stops = (current != Motion.STILL) & ((weights.sum(1) == 0) | (dice.uniform(len(rows)) < 0.15))
    weights[stops] = 0
    weights[:, Motion.STILL] = (stops | (weights.sum(1) == 0)).float()
    motion = dice.choice(weights)

    table = torch.zeros(len(Motion))
    for straight, (x, y) in DIRECTIONS.items():
        table[straight] = math.atan2(y, x)
    kept = scenes.speed[rows, which, 0]
    fresh = dice.between(_STRAIGHT_SPEED, len(rows))
    speed = torch.where(is_straight(current), kept, fresh)
    return motion, table[motion], torch.where(motion == Motion.STILL, 0.0, speed)


def _at_event(scenes: SceneBatch) -> tuple[Tensor, Tensor]:
    """Centre (N, 2, 2) and radius (N, 2) in the last frame before the event."""
    centre, radius = torch.zeros_like(scenes.start), torch.zeros_like(scenes.radius)
    for frame in scenes.event_frame.unique().tolist():
        if frame == NO_EVENT:
            continue
        rows = scenes.event_frame == frame
        states = simulate(scenes[rows], 1, first_frame=frame - 1)
        centre[rows], radius[rows] = states.centre[:, :, 0], states.radius[:, :, 0]
    return centre, radius
