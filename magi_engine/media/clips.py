"""Which part of a video conditions a generation, frame by frame at the model's rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.late import np
from magi_engine.media.fit import CropBox, FitPolicy, UInt8Array
from magi_engine.media.frames import FrameFitter, TimedFrame, decode_frames
from magi_engine.media.info import clip_duration, is_still

MAX_PART_S = 5.0
"""Longer prefixes would fill the model's history without being looked at."""

OFFICIAL_FRAMES = 32
"""Length of the release's video prefix, in frames (spec, section 7)."""

FRAME_GROUP = 4
"""Frames the VAE takes together: a prefix is a whole number of such groups."""

# How far before the wanted point the search for it starts, against wrong durations in headers.
_MARGIN_S = Fraction(1)
# Two times closer than this are the same: fractions of a container's clock are not exact.
_SAME_S = Fraction(1, 10_000)

Item = TypeVar("Item")


class ClipPartKind(Enum):
    """Which part of a clip the new video starts from."""

    END = "end"
    START = "start"
    RANGE = "range"


@dataclass(frozen=True)
class ClipPart:
    """A choice of up to 5 s of a clip; the default is its last 32 frames.

    Attributes:
        seconds: length for END and START; None is the 32 frames of the official release.
        start_s, end_s: bounds of a RANGE, in seconds from the clip's first frame.

    Raises:
        InvalidRequestError: a length that is not in (0, 5] s, or bounds that are no range.
    """

    kind: ClipPartKind = ClipPartKind.END
    seconds: float | None = None
    start_s: float = 0.0
    end_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind is ClipPartKind.RANGE:
            length = self.end_s - self.start_s
            if not (math.isfinite(length) and self.start_s >= 0 and length > 0):
                raise InvalidRequestError(
                    "The clip has no range from {start_s:g} s to {end_s:g} s.",
                    "Give a start and a later end, in seconds.",
                    start_s=self.start_s,
                    end_s=self.end_s,
                )
        elif self.seconds is None:
            return
        else:
            length = self.seconds
        if not 0 < length <= MAX_PART_S + float(_SAME_S):
            raise InvalidRequestError(
                "A part of {length:g} s of a clip cannot start a video.",
                "Choose more than 0 and at most {most:g} s.",
                length=length,
                most=MAX_PART_S,
            )

    @classmethod
    def end(cls, seconds: float | None = None) -> ClipPart:
        """The last seconds: the new video continues the clip."""
        return cls(ClipPartKind.END, seconds)

    @classmethod
    def start(cls, seconds: float | None = None) -> ClipPart:
        """The first seconds, as the official release does."""
        return cls(ClipPartKind.START, seconds)

    @classmethod
    def range(cls, start_s: float, end_s: float) -> ClipPart:
        """Everything shown from `start_s` until `end_s`."""
        return cls(ClipPartKind.RANGE, None, start_s, end_s)

    def max_frames(self, fps: Fraction) -> int:
        """How many frames at `fps` the part asks for, before the clip's length limits it."""
        if self.kind is ClipPartKind.RANGE:
            return _whole(Fraction(self.end_s - self.start_s) * fps)
        if self.seconds is None:
            return OFFICIAL_FRAMES
        return _whole(Fraction(self.seconds) * fps)


@dataclass(frozen=True)
class ClipPlan:
    """Precisely which frames of a clip are used.

    Attributes:
        times: when each frame of the result happens, in seconds from the clip's first frame,
            `1 / fps` apart. The last one is the junction with the new video.
        source_times: the time of the source frame taken for each of them, see `nearest`.
    """

    path: Path
    fps: Fraction
    times: tuple[Fraction, ...]
    source_times: tuple[Fraction, ...]

    @property
    def frames(self) -> int:
        return len(self.times)

    @property
    def source_frames(self) -> int:
        """How many frames `iter_source_frames` yields: from the clip's beginning on."""
        return _whole(self.times[-1] * self.fps) + 1

    @property
    def start_s(self) -> float:
        return float(self.times[0])

    @property
    def end_s(self) -> float:
        return float(self.times[-1] + 1 / self.fps)


def plan_clip(path: str | Path, fps: float | Fraction, part: ClipPart | None = None) -> ClipPlan:
    """Find the frames that :func:`read_plan` will return, without converting any.

    Raises:
        MediaReadError: not a video, or fewer than four frames are left in the part.
        InvalidRequestError: the range begins after the clip's end.
    """
    path, part, rate = Path(path), part or ClipPart(), as_rate(fps)
    if is_still(path):  # decoded as a video it may be one tile of a picture
        raise MediaReadError(
            "{name} is an image, not a video.",
            "Give it as an image.",
            name=path.name,
        )
    known = _scan(path, part, rate)
    last = known[-1]
    if part.kind is ClipPartKind.START:
        times = _grid_after(Fraction(0), last, part.max_frames(rate), rate)
    else:
        earliest = Fraction(part.start_s) if part.kind is ClipPartKind.RANGE else Fraction(0)
        if last.end <= earliest:
            raise InvalidRequestError(
                "{name} ends after {end:.2f} s, before the range begins.",
                "Choose a range inside the clip.",
                name=path.name,
                end=float(last.end),
            )
        times = _grid_before(earliest, _junction(last, rate), part.max_frames(rate), rate)
    count = len(times) - len(times) % FRAME_GROUP
    if count == 0:
        raise MediaReadError(
            "{name} has only {frames:frame|frames} at {rate:g} frames/s in this part.",
            "A video can start from {least} frames or more: choose a longer part or clip.",
            name=path.name,
            frames=len(times),
            rate=float(rate),
            least=FRAME_GROUP,
        )
    # Frames beyond whole groups of four are left out where the junction stays exact.
    kept = times[:count] if part.kind is ClipPartKind.START else times[len(times) - count :]
    shown = nearest(known, kept, rate, lambda frame: frame.time)
    chosen = tuple(frame.time for frame in shown)
    return ClipPlan(path, rate, kept, chosen)


def read_plan(
    plan: ClipPlan,
    width: int,
    height: int,
    fit: FitPolicy = FitPolicy.CROP,
    crop: CropBox | None = None,
) -> UInt8Array:
    """Read a part of a video as ``(T, height, width, 3)`` uint8 RGB at the plan's rate; T is 4 * n.

    Only the frames returned are ever held, at the target size. Variable frame rates are
    resampled to the nearest timestamps; rotation, pixel shape, bit depth and the file's colour
    matrix are respected (HDR is converted, not tone-mapped).

    Raises:
        MediaReadError: nothing in it decodes.
        InvalidRequestError: the crop box leaves the picture.
    """
    result = np.empty((plan.frames, height, width, 3), np.uint8)
    source = decode_frames(plan.path, plan.source_times[0])
    pictures = _resample(source, plan.times, plan.fps, width, height, fit, crop)
    for index, picture in enumerate(pictures):
        result[index] = picture
    return result


def iter_source_frames(
    plan: ClipPlan,
    width: int,
    height: int,
    fit: FitPolicy = FitPolicy.CROP,
    crop: CropBox | None = None,
    batch: int = 24,
) -> Iterator[UInt8Array]:
    """Stream the clip from its beginning to the junction, to be put in front of the result.

    The frames stand on the plan's own time grid, so the last `plan.frames` of them are exactly
    those of :func:`read_plan`.

    Yields:
        ``(T, height, width, 3)`` uint8 RGB with T <= `batch`.
    """
    junction = plan.times[-1]
    times = _grid_before(Fraction(0), junction, plan.source_frames, plan.fps)
    pictures: list[UInt8Array] = []
    source = decode_frames(plan.path)
    for picture in _resample(source, times, plan.fps, width, height, fit, crop):
        pictures.append(picture)
        if len(pictures) == batch:
            yield np.stack(pictures)
            pictures = []
    if pictures:
        yield np.stack(pictures)


def nearest(
    items: Iterable[Item],
    times: Iterable[Fraction],
    fps: Fraction,
    time_of: Callable[[Item], Fraction],
) -> Iterator[Item]:
    """For each of the rising `times`, the item closest to it (of two, the earlier), but none that
    would come more than half a frame at `fps` too early: what stands long stands to its end.

    Reads ahead by one item; `items` rise in time and there is at least one.
    """
    source, early = iter(items), 1 / (2 * fps)
    here = next(source)
    ahead = next(source, None)
    for time in times:
        while ahead is not None and time_of(ahead) <= time:
            here, ahead = ahead, next(source, None)
        if ahead is not None and time_of(ahead) - time < min(time - time_of(here), early):
            yield ahead
        else:
            yield here


def as_rate(fps: float | Fraction) -> Fraction:
    """Frames per second as an exact fraction; 29.97 and its like become n * 1000/1001.

    Raises:
        InvalidRequestError: not a positive, finite number.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise InvalidRequestError(
            "A video cannot have {fps} frames per second.", "Give a positive number.", fps=fps
        )
    film = round(fps * 1.001)
    if abs(film / 1.001 - fps) < 0.002 and abs(round(fps) - fps) > 0.002:
        return Fraction(film * 1000, 1001)
    return Fraction(fps).limit_denominator(1001)


def _resample(
    source: Iterable[TimedFrame],
    times: tuple[Fraction, ...],
    fps: Fraction,
    width: int,
    height: int,
    fit: FitPolicy,
    crop: CropBox | None,
) -> Iterator[UInt8Array]:
    fitter = FrameFitter(width, height, fit, crop)
    done: tuple[TimedFrame, UInt8Array] | None = None
    for frame in nearest(source, times, fps, lambda item: item.time):
        if done is None or done[0] is not frame:
            done = (frame, fitter(frame))
        yield done[1]


@dataclass(frozen=True)
class _Moment:
    """A decodable frame without its pixels."""

    time: Fraction
    end: Fraction


def _scan(path: Path, part: ClipPart, fps: Fraction) -> list[_Moment]:
    """Times of the frames that really decode around the part, the last one being its end."""
    length = part.max_frames(fps) / fps
    if part.kind is ClipPartKind.START:
        return _moments(path, Fraction(0), length)
    if part.kind is ClipPartKind.RANGE:
        return _moments(path, Fraction(part.start_s), Fraction(part.end_s))
    duration = clip_duration(path)
    if duration is not None and duration > length + _MARGIN_S:
        found = _moments(path, Fraction(duration) - length - _MARGIN_S, None)
        if found and found[-1].end - found[0].time >= length:
            return found
    return _moments(path, Fraction(0), None)


def _moments(path: Path, from_s: Fraction, until_s: Fraction | None) -> list[_Moment]:
    """Moments of the frames shown from about `from_s` until before `until_s`."""
    found: list[_Moment] = []
    for frame in decode_frames(path, from_s):
        if found:
            # What a frame's duration field says is often wrong where the rate varies.
            found[-1] = _Moment(found[-1].time, frame.time)
        if until_s is not None and found and frame.time >= until_s - _SAME_S:
            break
        found.append(_Moment(frame.time, frame.end))
    if until_s is not None and found[-1].end > until_s > found[-1].time:
        found[-1] = _Moment(found[-1].time, until_s)
    return found


def _junction(last: _Moment, fps: Fraction) -> Fraction:
    """The time of the last frame of the result.

    At least that of the last source frame, so that the new video continues from exactly it;
    later where the source's frames are shown longer than the result's.
    """
    return max(last.time, last.end - 1 / fps)


def _grid_after(first: Fraction, last: _Moment, most: int, fps: Fraction) -> tuple[Fraction, ...]:
    count = min(most, _whole((_junction(last, fps) - first) * fps) + 1)
    return tuple(first + index / fps for index in range(count))


def _grid_before(
    earliest: Fraction, junction: Fraction, most: int, fps: Fraction
) -> tuple[Fraction, ...]:
    count = min(most, max(0, _whole((junction - earliest) * fps)) + 1)
    return tuple(junction - index / fps for index in reversed(range(count)))


def _whole(count: Fraction) -> int:
    """Round down, but take 23.9999 for 24: clocks of containers are coarse."""
    return math.floor(count + Fraction(1, 100))
