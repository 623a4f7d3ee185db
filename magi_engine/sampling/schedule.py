"""What the transformer is asked in the course of a video (spec sections 3 and 4).

:func:`forwards` describes it once. The sampler executes it; memory, time and progress are counted
along it. Needs no PyTorch.

A video is denoised in *stages* of ``num_steps / window_size`` steps. In every stage one new chunk
enters at pure noise and the oldest one leaves finished, so a chunk goes through ``window_size``
stages. Time runs from 0 (noise) to 1 (clean).
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from magi_engine.config.official import LAST_KV_RANGE, MagiConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.late import np
from magi_engine.messages import Message, either

MAX_WINDOW = 8

_SHIFT = 1 / 3
_UNEQUAL_STEPS = 12
"""The step count whose schedule has unequal steps, in groups of three."""
_GROUP = 3
_GROUP_POINTS = {"8,16,16": (0, 2 / 16, 3 / 16), "16,16,8": (0, 1 / 16, 2 / 16)}
"""Where the steps of a group begin, in each quarter of the schedule."""
_GROUP_INTERVALS = {"8,16,16": (2.0, 1.0, 1.0), "16,16,8": (1.0, 1.0, 2.0)}
_PREFIX_RANGE = 8
"""How far chunks of a prefix look back if no range says it."""


@dataclass(frozen=True)
class SamplerSettings:
    """Everything that decides how latents are made; names are the official configuration's."""

    num_steps: int
    window_size: int
    cfg_number: int
    cfg_t_range: tuple[float, ...]
    prev_chunk_scales: tuple[float, ...]
    text_scales: tuple[float, ...]
    noise2clean_kvrange: tuple[int, ...]
    clean_chunk_kvrange: int
    clean_t: float
    chunk_width: int
    shortcut_mode: str
    distill: bool
    distill_nearly_clean_chunk_threshold: float

    def __post_init__(self) -> None:
        check_window(self.window_size)
        check_steps(self.num_steps, self.window_size, len(self.noise2clean_kvrange))

    @classmethod
    def from_config(cls, config: MagiConfig) -> SamplerSettings:
        """The settings an official configuration asks for."""
        given = vars(config.runtime_config) | vars(config.engine_config)
        own: dict[str, Any] = {}
        for spec in dataclasses.fields(cls):
            value = given[spec.name]
            own[spec.name] = tuple(value) if isinstance(value, list) else value
        return cls(**own)


def check_window(window_size: int) -> None:
    """Refuse a window that the models were not made for.

    Raises:
        InvalidRequestError: with the sizes there are.
    """
    if not 1 <= window_size <= MAX_WINDOW:
        raise InvalidRequestError(
            "A window of {window} chunks is not possible.",
            "Choose a window from 1 to {most}.",
            window=window_size,
            most=MAX_WINDOW,
        )


def legal_steps(window_size: int, kv_stages: int) -> Iterator[int]:
    """The step counts, rising, that divide evenly into the stages of the window and those of the
    KV range."""
    return itertools.count(unit := math.lcm(window_size, max(1, kv_stages)), unit)


def cuts_groups(num_steps: int, window_size: int) -> bool:
    """Whether a stage begins in the middle of a group of unequal steps. A distilled model is then
    told other lengths of its steps than they have."""
    return num_steps == _UNEQUAL_STEPS and num_steps // window_size % _GROUP != 0


def is_learned(num_steps: int) -> bool:
    """Whether a distilled model has learned steps of that length: each twice the next (paper 2.3).

    Given others, it may paint noise."""
    return num_steps == _UNEQUAL_STEPS or num_steps.bit_count() == 1


def check_steps(num_steps: int, window_size: int, kv_stages: int) -> None:
    """Refuse a number of steps that is none of :func:`legal_steps`.

    Raises:
        InvalidRequestError: naming the nearest numbers of steps that are.
    """
    legal = legal_steps(window_size, kv_stages)
    below, above = None, next(legal)
    while above < num_steps:
        below, above = above, next(legal)
    if above == num_steps:
        return
    stages = Message("{count:stage|stages} of the window", count=window_size)
    if kv_stages > 1:
        stages = Message(
            "{stages} and the {ranges} of the KV range", stages=stages, ranges=kv_stages
        )
    raise InvalidRequestError(
        "{steps:step does|steps do} not divide into the {stages}.",
        "Choose {choices} steps.",
        steps=num_steps,
        stages=stages,
        choices=either(*(n for n in (below, above) if n is not None)),
    )


def schedule_times(num_steps: int, shortcut_mode: str) -> list[float]:
    """The ``num_steps + 1`` times between which the steps go, rising from 0 to 1.

    They are float32, rounded after each operation as PyTorch does on x86-64.

    Args:
        num_steps: 12 selects the unequal steps of ``shortcut_mode``; anything else equal ones.
        shortcut_mode: "8,16,16" or "16,16,8".
    """
    if num_steps == _UNEQUAL_STEPS:
        points = _GROUP_POINTS[shortcut_mode]
        grid = np.array([q / 4 + start for q in range(5) for start in points][: num_steps + 1])
    else:
        step = np.float64(np.float32(1) / np.float32(num_steps))
        index = np.arange(num_steps + 1)
        from_end = 1 - step * (num_steps - index)
        grid = np.where(index < (num_steps + 1) // 2, step * index, from_end)
    squared = grid.astype(np.float32) ** 2
    return (squared * np.float32(_SHIFT) / (1 + np.float32(_SHIFT - 1) * squared)).tolist()


def goes_in_groups(num_steps: int) -> bool:
    """Whether it depends on the shortcut mode how a model is told so many steps."""
    return num_steps % _GROUP == 0


def step_intervals(num_steps: int, window_size: int, shortcut_mode: str) -> list[float]:
    """Relative step lengths inside one stage of ``num_steps / window_size`` steps."""
    length = num_steps // window_size
    if goes_in_groups(num_steps):
        pattern = _GROUP_INTERVALS[shortcut_mode]
        return [pattern[i % _GROUP] for i in range(length)]
    return [1.0] * length


def step_code(num_steps: int, interval: float) -> float:
    """What tells a distilled model how long the step is (spec section 2, step 3)."""
    if num_steps == _UNEQUAL_STEPS:
        return 4 / interval * 2
    return num_steps / 4 * 2


class Transition(enum.Enum):
    """What a chunk takes over from those before it (paper 2.6).

    At high noise a chunk's layout is settled, at low noise what things look like. For the steps at
    which it sees nothing else see ``_ALONE``.
    """

    GO_ON = "go on"
    NEW_PLACE = "new place"
    """It sees only itself until it is nearly clean: the same one, somewhere else."""
    NEW_ONE = "new one"
    """It sees only itself once it is less noisy: somebody else in the same place."""
    CUT = "cut"
    """It sees only itself, and chunks after it see nothing before it."""


_ALONE = {Transition.NEW_PLACE: (0.0, 0.75), Transition.NEW_ONE: (0.5, 1.0)}
"""From which share of its steps to which a chunk sees only itself. Half of the steps take it no
further than t = 0.1, where there is still room for who was there before beside who is new; after
three quarters it is at 0.3, which is nearly clean."""


@dataclass
class Direction:
    """What is decided while a video is made; looked at whenever a stage begins.

    Attributes:
        transitions: of chunks that do not simply go on, counted with those of the prefix.
        restart_from: the chunk from which on those in the window start anew, so that a new prompt
            is seen at once; None again once they do.
    """

    transitions: dict[int, Transition] = field(default_factory=dict)
    restart_from: int | None = None


class Pass(enum.Enum):
    """What the transformer is given. A distilled model only has ``TEXT``."""

    TEXT = "history and caption"
    HISTORY = "history"
    ALONE = "neither"


@dataclass(frozen=True)
class Forward:
    """One denoising step of the window, or one chunk of a prefix that is read.

    Attributes:
        chunks: that are denoised, oldest first; empty while a prefix is read.
        steps: the step that each of them takes, from 0.
        clean: a chunk in front of them that only leaves its keys and values; None: there is none.
        timesteps: of all these, the clean one first.
        ranges: chunks [from, to) that each of them attends to.
        passes: the evaluations of the transformer. The last one with history leaves the keys.
        scales: history and text scale of each denoised chunk, for guided models.
        copies_oldest: whether the oldest denoised chunk goes along a second time, seeing nothing
            but itself.
        interval: relative step length.
        durations: how far in time each denoised chunk moves.
        finishes: whether the oldest chunk has all its steps behind it then.
    """

    chunks: range
    steps: tuple[int, ...]
    clean: int | None
    timesteps: tuple[float, ...]
    ranges: tuple[tuple[int, int], ...]
    passes: tuple[Pass, ...]
    scales: tuple[tuple[float, float], ...]
    copies_oldest: bool
    interval: float
    durations: tuple[float, ...]
    finishes: bool

    @property
    def fills_prefix(self) -> bool:
        """Whether a chunk of the prefix is read."""
        return not self.chunks

    @property
    def first(self) -> int:
        """The first chunk that goes through the transformer."""
        return self.chunks.start if self.clean is None else self.clean

    @property
    def seen(self) -> list[tuple[int, ...]]:
        """For each pass, how many chunks each chunk in it attends to."""
        together = tuple(last - first for first, last in self.ranges)
        together += (1,) * self.copies_oldest
        alone = (1,) * len(self.chunks)
        return [alone if kind is Pass.ALONE else together for kind in self.passes]


def forwards(
    settings: SamplerSettings,
    num_chunks: int | None,
    prefix: int = 0,
    direction: Direction | None = None,
) -> Iterator[Forward]:
    """Everything the transformer is asked, in turn; without end if ``num_chunks`` is None.

    Args:
        num_chunks: chunks in all, those of the prefix included.
        prefix: clean latent frames that the video starts with. Its whole chunks are only read; a
            rest is part of the first denoised chunk.
        direction: what may still change.
    """
    s, offset = settings, prefix // settings.chunk_width
    direction = direction or Direction()
    sees = _Ranges.of(settings, direction.transitions)
    if num_chunks is not None and num_chunks <= offset:
        return
    times = schedule_times(s.num_steps, s.shortcut_mode)
    durations = np.diff(np.array(times, np.float32)).tolist()
    intervals = step_intervals(s.num_steps, s.window_size, s.shortcut_mode)
    guided = s.cfg_number == 3
    scales = guidance_scales(s, times)
    # 1. Clean chunks see nothing that comes after them, so those of the prefix go one by one.
    for chunk in sees.prefix_read(offset):
        yield Forward(
            chunks=range(0),
            steps=(),
            clean=chunk,
            timesteps=(s.clean_t,),
            ranges=((sees.first_in_prefix(chunk), chunk + 1),),
            passes=(Pass.HISTORY if guided else Pass.TEXT,),
            scales=(),
            copies_oldest=False,
            interval=intervals[0],
            durations=(),
            finishes=False,
        )
    # 2. In every stage one more chunk is in the window.
    first = offset
    stages: list[int] = []  # that each chunk of the window has behind it
    left = False  # whether a chunk has just left the window
    while True:
        if direction.restart_from is not None:
            stages = stages[: max(0, direction.restart_from - first)]
            direction.restart_from = None
        if num_chunks is None or first + len(stages) < num_chunks:
            stages.append(0)
        if not stages:
            return
        chunks = range(first, first + len(stages))
        for index, interval in enumerate(intervals):
            steps = tuple(stage * len(intervals) + index for stage in stages)
            timesteps = tuple(times[step] for step in steps)
            seen = [(sees.first(c, n), c + 1) for c, n in zip(chunks, steps, strict=True)]
            # A chunk that has just left is read once more, clean.
            clean = first - 1 if left and index == 0 else None
            if clean is not None:
                seen.insert(0, (sees.first_clean(clean), first))
            weights = tuple(scales[step] for step in steps) if guided else ()
            yield Forward(
                chunks=chunks,
                steps=steps,
                clean=clean,
                timesteps=timesteps if clean is None else (s.clean_t, *timesteps),
                ranges=tuple(seen),
                passes=_guided_passes(weights) if guided else (Pass.TEXT,),
                scales=weights,
                copies_oldest=not guided and timesteps[0] > s.distill_nearly_clean_chunk_threshold,
                interval=interval,
                durations=tuple(durations[step] for step in steps),
                finishes=steps[0] + 1 == s.num_steps,
            )
        stages = [stage + 1 for stage in stages]
        if left := stages[0] == s.window_size:
            first, stages = first + 1, stages[1:]


def guidance_scales(settings: SamplerSettings, times: Sequence[float]) -> list[tuple[float, float]]:
    """History and text scale at each of ``times`` (spec section 4, "Base model")."""
    starts = np.array(settings.cfg_t_range, np.float32) - np.float32(1e-7)
    indices = np.searchsorted(starts, np.array(times, np.float32)) - 1
    return [(settings.prev_chunk_scales[i], settings.text_scales[i]) for i in indices]


def _guided_passes(scales: tuple[tuple[float, float], ...]) -> tuple[Pass, ...]:
    # A pass whose weight is zero for every chunk changes nothing and is left out: towards the end
    # of the schedule the released scales need one pass of the three.
    passes = [Pass.TEXT] if any(text != 0 for _, text in scales) else []
    passes.append(Pass.HISTORY)
    if any(history != 1 for history, _ in scales):
        passes.append(Pass.ALONE)
    return tuple(passes)


@dataclass(frozen=True)
class _Ranges:
    """How far back chunks look, in chunks including themselves.

    Attributes:
        noisy: ``noise2clean_kvrange``, one entry per equal part of the steps; empty = all.
        clean: for chunks that are read clean; if ``noisy`` is empty only for those of a prefix.
        num_steps: steps per chunk.
        transitions: of chunks that do not simply go on.
    """

    noisy: tuple[int, ...]
    clean: int
    num_steps: int
    transitions: Mapping[int, Transition]

    @classmethod
    def of(cls, settings: SamplerSettings, transitions: Mapping[int, Transition]) -> _Ranges:
        noisy, clean = settings.noise2clean_kvrange, settings.clean_chunk_kvrange
        if clean == LAST_KV_RANGE:
            clean = noisy[-1] if noisy else _PREFIX_RANGE
        return cls(noisy, clean, settings.num_steps, transitions)

    def first(self, chunk: int, step: int) -> int:
        """The earliest chunk that ``chunk`` attends to at ``step``."""
        begin, end = _ALONE.get(self.transitions.get(chunk, Transition.GO_ON), (0.0, 0.0))
        alone = begin <= step / self.num_steps < end
        return chunk if alone else self._first_going_on(chunk, step)

    def _first_going_on(self, chunk: int, step: int) -> int:
        since = self._last_cut(chunk)
        if not self.noisy:
            return since
        return max(since, chunk - self.noisy[step * len(self.noisy) // self.num_steps] + 1)

    def _last_cut(self, chunk: int) -> int:
        """Where the scene began that a chunk is part of."""
        cuts = (c for c, kind in self.transitions.items() if kind is Transition.CUT)
        return max((c for c in cuts if c <= chunk), default=0)

    def first_clean(self, chunk: int) -> int:
        """The earliest chunk that ``chunk`` attends to when it is read again, clean."""
        return self.first_in_prefix(chunk) if self.noisy else self._last_cut(chunk)

    def first_in_prefix(self, chunk: int) -> int:
        """The earliest chunk that ``chunk`` of a prefix attends to."""
        return max(self._last_cut(chunk), chunk - self.clean + 1)

    def prefix_read(self, offset: int) -> range:
        """The whole chunks of a prefix that are read before chunk ``offset`` is denoised.

        Where each sees only itself, those that nobody will look at need not be read.
        """
        seen = min(self._first_going_on(offset, step) for step in range(self.num_steps))
        return range(0 if self.clean > 1 else seen, offset)


@dataclass(frozen=True)
class CacheChunks:
    """How many chunks' keys and values a video needs at once.

    Attributes:
        kept: clean ones, through all layers.
        work: all that a forward computes or sees, one layer at a time.
        forward: all that a forward computes.
        seen: all that chunks of a forward attend to, each counted for each of them.
    """

    kept: int
    work: int
    forward: int
    seen: int

    @classmethod
    @functools.lru_cache(maxsize=32)
    def of(cls, settings: SamplerSettings, num_chunks: int | None, prefix: int = 0) -> CacheChunks:
        """Of a video, as :func:`forwards` takes it; transitions need no more.

        Raises:
            InvalidRequestError: it has no end and looks back to its beginning.
        """
        sees, ahead = _Ranges.of(settings, {}), forwards(settings, num_chunks, prefix)
        if sees.noisy:
            # After the window has filled and the history is as deep as it gets, nothing changes.
            stages = 2 * settings.window_size + max(*sees.noisy, sees.clean)
            steps = stages * settings.num_steps // settings.window_size
            ahead = itertools.islice(ahead, prefix // settings.chunk_width + steps)
        elif num_chunks is None:
            raise InvalidRequestError(
                "A video without end cannot look back to its beginning.",
                "Give a number of chunks, or limit the KV range.",
            )
        kept = work = together = seen = 0
        needed = math.inf  # the earliest chunk that anything from here on looks at
        for forward in reversed(list(ahead)):
            oldest = min(first for first, _ in forward.ranges)
            needed = min(needed, oldest)
            count = len(forward.ranges) + forward.copies_oldest
            kept = max(kept, forward.ranges[0][1] - int(needed) - (forward.clean is None))
            work = max(work, forward.first + count - oldest)
            together = max(together, count)
            pairs = sum(last - first for first, last in forward.ranges)
            seen = max(seen, pairs + forward.copies_oldest)
        return cls(kept, work, together, seen)
