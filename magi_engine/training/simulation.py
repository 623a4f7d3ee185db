"""Where every object is at every frame, in closed form: no step depends on the one before.

So the continuation of a clip beyond the frames a model has seen is exact ground truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from magi_engine.training.scenes import (
    CHUNK_FRAMES,
    FRAMES_PER_SECOND,
    RADIUS_LIMITS,
    EventKind,
    Motion,
    SceneBatch,
    is_circling,
    is_straight,
)
from magi_engine.training.shapes import extents_table

#: An object of a wrong size loses two thirds of its excess in this time, in seconds.
SETTLING_SECONDS = 0.5
#: Over this distance, in widths, a straight mover slows down before it touches the edge.
BRAKING_DISTANCE = 0.06


@dataclass(frozen=True)
class Trajectories:
    """The state of every object in every frame.

    Attributes:
        centre: (N, 2, T, 2) float32, centre of mass (x, y) in widths.
        radius: (N, 2, T) float32, in widths.
        angle: (N, 2, T) float32, clockwise rotation in radians.
        colour: (N, 2, T) int64, ``Colour``.
        background: (N, T) int64, ``Background``.
    """

    centre: Tensor
    radius: Tensor
    angle: Tensor
    colour: Tensor
    background: Tensor

    def __getitem__(self, index: slice | Tensor) -> Trajectories:
        """The trajectories of some of the scenes."""
        return Trajectories(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True)
class _State:
    """Centre (N, 2, T, 2), radius (N, 2, T) and angle (N, 2, T) of each object."""

    centre: Tensor
    radius: Tensor
    angle: Tensor


def simulate(scenes: SceneBatch, num_frames: int, first_frame: int = 0) -> Trajectories:
    """Trajectories of frames ``first_frame .. first_frame + num_frames - 1`` on the scenes' device.

    Held frames: with ``hold_frames`` h > 0, frames 0 .. h-1 are equal and frame h is the first
    one that has moved. Wrong sizes: after ``wrong_chunks`` objects come to their size. Events: the
    frame ``event_frame`` is the first that shows the new colour, or the first step of the new
    motion.
    """
    device = scenes.start.device
    reach = extents_table().to(device)[scenes.shape]  # (N, 2, 4)
    frames = first_frame + torch.arange(num_frames, device=device)  # (T,)
    time = seconds_of_frame(scenes, frames[None])[:, None]  # (N, 1, T)
    switch = seconds_of_frame(scenes, scenes.event_frame[:, None] - 1)[:, None]  # (N, 1, 1)

    start = _State(
        scenes.start[:, :, None],
        scenes.radius[:, :, None],
        torch.zeros_like(scenes.radius)[:, :, None],
    )
    before = _advance(scenes, 0, start, reach, time)
    at_switch = _advance(scenes, 0, start, reach, switch)
    after = _advance(scenes, 1, at_switch, reach, (time - switch).clamp(min=0))

    later = frames >= scenes.event_frame[:, None]  # (N, T)
    changed = _changed(scenes)[:, :, None] & later[:, None]
    # A new colour leaves the flight alone: phase, direction after a reflection, braking.
    turned = changed & (scenes.event_kind == EventKind.MOTION)[:, None, None]
    return Trajectories(
        centre=torch.where(turned[..., None], after.centre, before.centre),
        radius=torch.where(turned, after.radius, before.radius) * _swelling(scenes, frames),
        angle=torch.where(turned, after.angle, before.angle),
        colour=torch.where(changed, scenes.colour[:, :, 1:], scenes.colour[:, :, :1]),
        background=torch.where(later, scenes.background[:, 1:], scenes.background[:, :1]),
    )


def _swelling(scenes: SceneBatch, frames: Tensor) -> Tensor:
    """(N, 2, T): how many times its right size each object has in frames (T,)."""
    last_wrong = scenes.wrong_chunks[:, None] * CHUNK_FRAMES - 1
    seconds = (frames - last_wrong).clamp(min=0) / FRAMES_PER_SECOND  # (N, T)
    return 1 + scenes.excess[..., None] * torch.exp(-seconds / SETTLING_SECONDS)[:, None]


def seconds_of_frame(scenes: SceneBatch, frames: Tensor) -> Tensor:
    """Seconds of motion before each frame: (N, T) for frames (N or 1, T)."""
    still = (scenes.hold_frames - 1).clamp(min=0)[:, None]
    return (frames - still).clamp(min=0).float() / FRAMES_PER_SECOND


def walls(reach: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest centre that keeps an object fully in the picture.

    Args:
        reach: (..., 4) left, up, right and down extents of the shape in radii.
        radius: (...,) in widths.

    Returns:
        Two tensors (..., 2), x and y.
    """
    return reach[..., :2] * radius[..., None], 1 - reach[..., 2:] * radius[..., None]


def _changed(scenes: SceneBatch) -> Tensor:
    """(N, 2) mask of the objects that the scene's event concerns."""
    slots = torch.arange(scenes.shape.shape[1], device=scenes.shape.device)
    return scenes.event_object[:, None] == slots


def _advance(
    scenes: SceneBatch, segment: int, start: _State, reach: Tensor, time: Tensor
) -> _State:
    """The state ``time`` (N, 1, T) seconds after ``start`` (its T is 1) in one segment."""
    motion = scenes.motion[:, :, segment, None]  # (N, 2, 1)
    speed = scenes.speed[:, :, segment, None]
    heading = scenes.heading[:, :, segment, None]
    low, high = walls(reach, start.radius[:, :, 0])
    low, high = low[:, :, None], high[:, :, None]  # (N, 2, 1, 2)
    flight = torch.stack([heading.cos(), heading.sin()], -1)  # (N, 2, 1, 2)
    travelled = speed * time  # (N, 2, T)

    centre = start.centre.expand(*travelled.shape, 2)
    straight = start.centre + flight * _slide(start.centre, flight, low, high, travelled)[..., None]
    bounced = _reflect(start.centre + flight * travelled[..., None], low, high)
    turns = torch.where(motion == Motion.CIRCLE_COUNTERCLOCKWISE, -travelled, travelled)
    phase = heading + 2 * math.pi * turns
    around = torch.stack([phase.cos(), phase.sin()], -1) - flight
    circled = start.centre + scenes.orbit[:, :, None, None] * around
    centre = torch.where(is_straight(motion)[..., None], straight, centre)
    centre = torch.where((motion == Motion.BOUNCE)[..., None], bounced, centre)
    centre = torch.where(is_circling(motion)[..., None], circled, centre)

    smallest, largest = RADIUS_LIMITS
    grown = torch.minimum(start.radius + travelled, start.radius.clamp(min=largest))
    shrunk = torch.maximum(start.radius - travelled, start.radius.clamp(max=smallest))
    radius = torch.where(motion == Motion.GROW, grown, start.radius.expand_as(travelled))
    radius = torch.where(motion == Motion.SHRINK, shrunk, radius)
    spun = start.angle + 2 * math.pi * travelled
    angle = torch.where(motion == Motion.SPIN, spun, start.angle.expand_as(travelled))
    return _State(centre, radius, angle)


def _slide(centre: Tensor, flight: Tensor, low: Tensor, high: Tensor, travelled: Tensor) -> Tensor:
    """Distance covered by a straight mover that brakes smoothly and rests at the edge.

    Constant speed up to ``BRAKING_DISTANCE`` before contact, then an exponential approach with
    the same initial speed, so that the object never leaves the picture.
    """
    ahead = torch.where(flight > 0, high - centre, centre - low).clamp(min=0)
    pace = flight.abs()
    reachable = torch.where(pace > 1e-4, ahead / pace.clamp(min=1e-4), torch.inf)
    room = reachable.amin(-1)  # (N, 2, 1)
    brake = room.clamp(max=BRAKING_DISTANCE)
    excess = (travelled - (room - brake)).clamp(min=0)
    slowed = room - brake * torch.exp(-excess / brake.clamp(min=1e-6))
    return torch.where(excess > 0, slowed, travelled)


def _reflect(position: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """A free flight folded back between two walls (a triangle wave in each coordinate)."""
    width = high - low
    folded = torch.remainder(position - low, 2 * width)
    return low + torch.where(folded > width, 2 * width - folded, folded)
